// Durations as people write and read them. For reading back: three digits and the unit that fits
// (the log's sentences, the status table). For configuration: exactly, as `10ms`.

/** `80 us`, `3.2 ms`, `1.5 s`, `12 min`, `3.1 h`, `14 d`. */
export function showDuration(us: number): string {
  if (us < 1) return '0 us';
  for (const [unit, size, next] of scales) {
    if (us < next) return `${threeDigits(us / size)} ${unit}`;
  }
  return `${Math.round(us / dayUs)} d`;
}

/** Seconds from `50us`, `10ms`, `1.5s`, `2min`, `1h`; undefined for all else. */
export function readDuration(text: string): number | undefined {
  const [, number, unit] = durationText.exec(text) ?? [];
  if (number === undefined) return undefined;
  const size = scales.find(([name]) => name === unit)?.[1] ?? Number.NaN;
  return (Number(number) * size) / 1e6;
}

/** The other way: nothing is rounded off, so what is read back is the same. */
export function writeDuration(seconds: number): string {
  const us = Number((seconds * 1e6).toPrecision(15));
  const fits = scales.filter(([, size]) => us >= size);
  const whole = fits.findLast(([, size]) => us % size === 0);
  const [unit, size] = whole ?? fits.at(-1) ?? ['us', 1];
  return us === 0 ? '0s' : `${Number((us / size).toPrecision(15))}${unit}`;
}

/** What `readDuration` accepts; for the JSON Schema as well. */
export const durationText = /^(\d+(?:\.\d+)?)(us|ms|s|min|h)$/;

const minuteUs = 60e6;
const hourUs = 60 * minuteUs;
const dayUs = 24 * hourUs;

/** Unit, its size, and where the next one takes over (just below, so that no `1000 us` appears). */
const scales: readonly (readonly [string, number, number])[] = [
  ['us', 1, 999.5],
  ['ms', 1e3, 999.5e3],
  ['s', 1e6, 2 * minuteUs],
  ['min', minuteUs, 2 * hourUs],
  ['h', hourUs, 2 * dayUs],
];

function threeDigits(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return String(Number(value.toPrecision(value >= 10 ? 3 : 2)));
}

/** Bytes from `512kB`, `16MB`, `1.5GB`; undefined for all else. */
export function readSize(text: string): number | undefined {
  const [, number, unit = ''] = sizeText.exec(text) ?? [];
  return number === undefined ? undefined : Math.round(Number(number) * (sizes[unit] ?? 1));
}

/** The other way: `16MB`. */
export function writeSize(bytes: number): string {
  const [unit, size] = Object.entries(sizes).findLast(([, each]) => bytes >= each) ?? ['kB', 1e3];
  return `${Number((bytes / size).toPrecision(15))}${unit}`;
}

/** What `readSize` accepts; for the JSON Schema as well. */
export const sizeText = /^(\d+(?:\.\d+)?)(kB|MB|GB)$/;

const sizes: Record<string, number> = { kB: 1e3, MB: 1e6, GB: 1e9 };

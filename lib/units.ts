// Durations for people: three digits and the unit that fits. Shared by the log's sentences and the
// status table.

/** `80 us`, `3.2 ms`, `1.5 s`, `12 min`, `3.1 h`, `14 d`. */
export function showDuration(us: number): string {
  if (us < 1) return '0 us';
  for (const [unit, size, next] of scales) {
    if (us < next) return `${threeDigits(us / size)} ${unit}`;
  }
  return `${Math.round(us / dayUs)} d`;
}

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

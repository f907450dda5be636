// The wall clock, for what people read: dates in logs and in `status`. The only file of lib/ that
// reads it; every duration is measured on the engine's monotonic clock instead, so that a clock
// step changes nothing.

/** Milliseconds since 1970. */
export function wallMs(): number {
  return Date.now();
}

/** A pair of readings, taken together, that turns monotonic instants into dates. */
export interface ClockReading {
  wallMs: number;
  monotonicUs: number;
}

/** The date (ISO 8601, UTC) of a monotonic instant. */
export function isoOf(atUs: number, now: ClockReading): string {
  return new Date(now.wallMs - (now.monotonicUs - atUs) / 1000).toISOString();
}

/** The same to the microsecond. */
export function isoMicrosOf(atUs: number, now: ClockReading): string {
  const sinceEpochUs = Math.floor(now.wallMs * 1000 - (now.monotonicUs - atUs));
  const date = new Date(Math.floor(sinceEpochUs / 1000)).toISOString();
  return `${date.slice(0, -1)}${String(sinceEpochUs % 1000).padStart(3, '0')}Z`;
}

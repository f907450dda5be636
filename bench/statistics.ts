// What the bench says of a list of measurements (lib/base/summary.ts has it, for `faild bench` says the
// same), and small things that its scenarios share.
export { type Summary, summarize } from '../lib/base/summary.js';

/** A seeded generator (mulberry32), for phases: the same seed cuts at the same phases. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The same keys, other values. */
export function mapValues<A, B>(
  record: Record<string, A>,
  change: (value: A, key: string) => B,
): Record<string, B> {
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [key, change(value, key)]),
  );
}

export const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

export interface Estimate {
  median: number;
  low: number;
  high: number;
}

/**
 * The median, and where that of all that might have been measured lies in 19 of 20 cases: between
 * two ranks (Conover, Practical Nonparametric Statistics, 3.2), whatever the distribution, so that
 * a few values that something else has spoilt matter little. Of fewer than six values: the range.
 */
export function estimateMedian(values: readonly number[]): Estimate {
  const sorted = [...values].sort((a, b) => a - b);
  const last = sorted.length - 1;
  const rank = Math.max(0, Math.floor((sorted.length - 1.96 * Math.sqrt(sorted.length)) / 2));
  const at = (index: number) => sorted[index] as number;
  return { median: at(Math.floor(last / 2)), low: at(rank), high: at(last - rank) };
}

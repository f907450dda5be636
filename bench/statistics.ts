// What a bench says of a list of measurements: minimum, p50, p99, p99.9, maximum and count. The
// maximum is never left out: percentiles hide the worst.

export interface Summary {
  count: number;
  min: number;
  p50: number;
  p99: number;
  p999: number;
  max: number;
}

/** Nearest rank: every figure is one that was measured. Null when nothing was. */
export function summarize(values: readonly number[]): Summary | null {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (share: number) =>
    sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
  if (sorted.length === 0) return null;
  return {
    count: sorted.length,
    min: rank(0),
    p50: rank(0.5),
    p99: rank(0.99),
    p999: rank(0.999),
    max: rank(1),
  };
}

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

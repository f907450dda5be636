// What is said of a list of measurements: minimum, p50, p99, p99.9, maximum and count. The maximum
// is never left out: percentiles hide the worst. Used by `faild bench` and by the project's bench.

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

// Which interval and count a pair of hosts can afford: from measured lateness, round trips and loss
// to the detection time and the false verdicts that are to be expected. Pure; used by bench.ts.
//
// The model. A healthy path is called dead when its receiver hears nothing for the detection time D
// = f x interval + tolerance. What arrives is late by what the sender's timer was late and by what
// the network took longer than usual. Our own late reading is no matter: faild suspects itself
// before it blames a peer. With k packets in a row lost, the next one has f - 1 - k intervals and
// the tolerance to spare, so for each packet
//
//     P(false) = loss^f + sum over k < f of  loss^k x P(late by more than spare(k))
//
// The tail of a sum is led by its largest term: P(timer + network > s) is taken as
// P(timer > s - usual network) + P(network > s - usual timer), "usual" being the medians.
//
// Assumed, and not measured: that the peer's timers are like ours, that losses are independent of
// each other, and that the tails beyond the largest measurement go on as a Pareto tail fitted to
// the largest hundredth (Hill's estimator, its index at the pessimistic end of a 95 % interval).
// A machine that stalls once an hour shows nothing of it in ten seconds: measure for longer, under
// the load that it will have.

/** The share of values that are larger, measured as far as it goes, extrapolated beyond. */
export interface Tail {
  median: number;
  beyond(value: number): number;
}

const kTailShare = 0.01;
const kTailAtLeast = 10;
/** Of a standard normal distribution: 97.5 % lie below. */
const kConfidence = 1.96;

/** At least one value. Values that do not differ have no tail to speak of. */
export function fitTail(values: readonly number[]): Tail {
  const falling = [...values].sort((a, b) => b - a);
  const count = falling.length;
  const k = Math.min(Math.max(Math.round(count * kTailShare), kTailAtLeast), count - 1);
  const from = Math.max(falling[k] ?? 0, Number.MIN_VALUE);
  const excess = falling.slice(0, k).map((value) => Math.log(Math.max(value, from) / from));
  const index = excess.reduce((sum, x) => sum + x, 0) / Math.max(k, 1);
  const cautious = index * (1 + kConfidence / Math.sqrt(Math.max(k, 1)));
  const share = (value: number) => falling.filter((x) => x > value).length / count;
  return {
    median: falling[Math.floor(count / 2)] ?? 0,
    beyond(value) {
      const measured = share(value);
      if (value <= from || cautious === 0) return measured;
      return Math.max(measured, (k / count) * (value / from) ** (-1 / cautious));
    },
  };
}

/** A LAN as it was measured: what the network adds, in us, and the share of packets lost. */
export interface Network {
  delay: Tail;
  loss: number;
}

export interface Conditions {
  timers: Tail;
  networks: readonly Network[];
  /** The detector's own, with its tolerance (native.detectionTimeUs). */
  detectionTimeUs(intervalUs: number, failAfter: number): number;
}

export interface Setting {
  intervalUs: number;
  failAfter: number;
}

export interface Expectation extends Setting {
  /** From a path's death to the verdict: on average, and at most. */
  detectUs: { mean: number; max: number };
  /** Of a healthy path, both ends' together, on the worst LAN. */
  falsePerDay: number;
}

const kDayUs = 86_400e6;
const kEnds = 2;

export function expect(setting: Setting, conditions: Conditions): Expectation {
  const { intervalUs, failAfter } = setting;
  const { timers, networks, detectionTimeUs } = conditions;
  const max = detectionTimeUs(intervalUs, failAfter);
  const each = networks.map((network) => falseShare(setting, max, timers, network));
  return {
    intervalUs,
    failAfter,
    // The last packet came up to an interval before the death.
    detectUs: { mean: max - intervalUs / 2, max },
    falsePerDay: (Math.max(0, ...each) * kEnds * kDayUs) / intervalUs,
  };
}

/** For one packet: the chance that the path is called dead before the next one that arrives. */
function falseShare(
  { intervalUs, failAfter }: Setting,
  detectUs: number,
  timers: Tail,
  { delay, loss }: Network,
): number {
  let share = loss ** failAfter;
  for (let lost = 0; lost < failAfter; lost++) {
    const spareUs = detectUs - (lost + 1) * intervalUs;
    const late = timers.beyond(spareUs - delay.median) + delay.beyond(spareUs - timers.median);
    share += loss ** lost * Math.min(1, late);
  }
  return Math.min(1, share);
}

/** Shorter ones are beyond what docs/benchmarks.md has shown to hold. */
const kIntervalsMs = [0.2, 0.3, 0.5, 1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000];
const kCounts = [2, 3, 4, 5];

export interface Recommendation {
  /** The quickest of `choices`; null when no setting keeps the promise here. */
  best: Expectation | null;
  /** For each count the shortest interval that keeps it. */
  choices: Expectation[];
}

/** `falsePerDay`: the most that is acceptable on one path. */
export function recommend(conditions: Conditions, falsePerDay: number): Recommendation {
  const choices = kCounts.flatMap((failAfter) => {
    const all = kIntervalsMs.map((ms) => expect({ intervalUs: ms * 1000, failAfter }, conditions));
    return all.find((candidate) => candidate.falsePerDay <= falsePerDay) ?? [];
  });
  // As quick with fewer packets is better.
  const better = (a: Expectation, b: Expectation) =>
    a.detectUs.max - b.detectUs.max || b.intervalUs - a.intervalUs;
  return { best: [...choices].sort(better)[0] ?? null, choices };
}

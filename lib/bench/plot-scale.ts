// From values to pixels, and where an axis has its ticks. Pure.

export interface Axis {
  at(value: number): number;
  /** Labelled. */
  ticks: number[];
  /** Only a line. */
  between: number[];
}

const kSteps = [1, 2, 5];

/** Round steps, about `wanted` of them. */
export function linear(from: number, to: number, left: number, right: number, wanted = 8): Axis {
  const rough = (to - from) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([...kSteps, 10].find((s) => s * power >= rough) as number);
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  return {
    at: (value) => left + ((value - from) / (to - from)) * (right - left),
    ticks: Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step),
    between: [],
  };
}

/** 1, 2 and 5 of each decade are labelled; over more than three decades, 1 alone. */
export function logarithmic(from: number, to: number, left: number, right: number): Axis {
  const [low, high] = [Math.log10(from), Math.log10(to)];
  const decades = Array.from(
    { length: Math.floor(high) - Math.floor(low) + 1 },
    (_, i) => Math.floor(low) + i,
  );
  const of = (digits: number[]) =>
    decades
      .flatMap((decade) => digits.map((digit) => digit * 10 ** decade))
      .filter((value) => value >= from * 0.999 && value <= to * 1.001);
  const ticks = of(high - low > 3 ? [1] : kSteps);
  return {
    at: (value) => left + ((Math.log10(value) - low) / (high - low)) * (right - left),
    ticks,
    between: of([1, 2, 3, 4, 5, 6, 7, 8, 9]).filter((value) => !ticks.includes(value)),
  };
}

/** The next round number below (or above) a value: 1, 2 or 5 times a power of ten. */
export function roundOut(value: number, up: boolean): number {
  const power = 10 ** Math.floor(Math.log10(value) + 1e-12);
  const candidates = [...kSteps.map((step) => step * power), 10 * power];
  const found = up
    ? candidates.find((candidate) => candidate >= value * 0.999)
    : candidates.findLast((candidate) => candidate <= value * 1.001);
  return found ?? value;
}

/** Without trailing zeros: 0.5, 1, 20. */
export const tickText = (value: number): string => String(Number(value.toPrecision(6)));

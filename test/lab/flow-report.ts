// What happened to a flow in a window of time, worked out from its raw records. Pure; used by
// flow-agent.ts.

/** One datagram as its receiver saw it; instants in microseconds on CLOCK_MONOTONIC. */
export interface Arrival {
  sequence: number;
  sentUs: number;
  receivedUs: number;
}

export interface StreamReport {
  received: number;
  /** Sequence numbers that never came. */
  lost: number;
  duplicates: number;
  /** Datagrams that came after one with a higher number. */
  reordered: number;
  /** The longest time without an arrival, and when it ended. */
  longestGapUs: number;
  gapEndUs: number;
}

/**
 * The stream as sent between `fromUs` and `toUs`. The window reaches one received datagram beyond
 * either end, so that a gap or a loss at its edge counts. A stream that is silent at `toUs` has a
 * gap that lasts until then.
 */
export function reportStream(
  arrivals: readonly Arrival[],
  fromUs: number,
  toUs: number,
): StreamReport {
  const after = arrivals.findIndex(({ sentUs }) => sentUs >= fromUs);
  const window = after < 0 ? [] : arrivals.slice(Math.max(0, after - 1));
  const end = window.findIndex(({ sentUs }) => sentUs > toUs);
  if (end >= 0) window.length = end + 1;

  const report = {
    received: 0,
    lost: 0,
    duplicates: 0,
    reordered: 0,
    longestGapUs: 0,
    gapEndUs: 0,
  };
  const seen = new Set<number>();
  let highest = -1;
  let previous: Arrival | undefined;
  for (const arrival of window) {
    report.received += 1;
    if (seen.has(arrival.sequence)) report.duplicates += 1;
    else if (arrival.sequence < highest) report.reordered += 1;
    seen.add(arrival.sequence);
    highest = Math.max(highest, arrival.sequence);
    const gap = previous ? arrival.receivedUs - previous.receivedUs : 0;
    if (gap > report.longestGapUs) {
      report.longestGapUs = gap;
      report.gapEndUs = arrival.receivedUs;
    }
    previous = arrival;
  }
  const lowest = Math.min(...window.map(({ sequence }) => sequence));
  if (window.length > 0) report.lost = highest - lowest + 1 - seen.size;
  const silence = toUs - (previous?.receivedUs ?? fromUs);
  return silence > report.longestGapUs
    ? { ...report, longestGapUs: silence, gapEndUs: toUs }
    : report;
}

/** One request and its response. */
export interface Exchange {
  askedUs: number;
  /** Undefined: no response yet. */
  answeredUs?: number;
}

export interface DialogueReport {
  answered: number;
  /** The longest that a request waited for its response, and when that came. */
  longestStallUs: number;
  stallEndUs: number;
}

/** Requests that waited at any time between `fromUs` and `toUs`. */
export function reportDialogue(
  exchanges: readonly Exchange[],
  fromUs: number,
  toUs: number,
): DialogueReport {
  const report = { answered: 0, longestStallUs: 0, stallEndUs: 0 };
  for (const { askedUs, answeredUs = toUs } of exchanges) {
    if (askedUs > toUs || answeredUs < fromUs) continue;
    report.answered += 1;
    if (answeredUs - askedUs <= report.longestStallUs) continue;
    report.longestStallUs = answeredUs - askedUs;
    report.stallEndUs = answeredUs;
  }
  return report;
}

// `faild bench --cut` for the terminal: the question beforehand, the table afterwards. The rows
// serve the HTML report as well. Pure.

import type { Summary } from '../base/summary.js';
import { showDuration } from '../base/units.js';
import type { CutReport } from './cut-report.js';
import { align, measuredHead, type Row, summaryRow } from './text.js';

export interface CutQuestion {
  lan: string;
  host: string;
  peers: readonly string[];
  count: number;
  longestUs: number;
}

export function askText({ lan, host, peers, count, longestUs }: CutQuestion): string {
  return (
    `LAN ${lan} will be cut ${count * 2} times, for at most ${showDuration(longestUs)} each: ` +
    `heartbeats of ${host} on it are not sent, or not read. All other packets pass, but ${host} ` +
    `and ${nameAll(peers)} take LAN ${lan} for dead, and their traffic really moves to another ` +
    'LAN and back each time.\nGo on? [y/N] '
  );
}

const mostNamed = 3;

export function nameAll(peers: readonly string[]): string {
  return peers.length > mostNamed ? `${peers.length} peers` : peers.join(', ');
}

/** More would push the rest of the table off the screen; the JSON document has them all. */
const mostRows = 16;

export function cutRows({ peers, here, there, returnedUs }: CutReport): Row[] {
  const row = (name: string, summary: Summary | null): Row =>
    summary === null ? [name, '0'] : summaryRow(name, summary);
  return [
    row('cut -> verdict here', here.verdictUs),
    row('cut -> traffic moved here', here.movedUs),
    ...(peers.length > mostRows ? [{ peer: nameAll(peers), ...there }] : there.peers).map(
      ({ peer, verdictUs }) => row(`cut -> verdict at ${peer}`, verdictUs),
    ),
    row('heal -> traffic back here', returnedUs),
  ];
}

/** What the table cannot say, whole sentences. */
export function cutRemarks({ expectedUs, notes }: CutReport): string[] {
  const [min, max] = [showDuration(expectedUs.min), showDuration(expectedUs.max)];
  return [
    `by the interval and count of this host, a cut is noticed after ${min} to ${max}`,
    'verdicts elsewhere are told by the packet that lists us, one way through the network included',
    ...notes,
  ];
}

export const cutTitle = ({ host, peers, lan, count }: CutReport): string =>
  `${host} and ${nameAll(peers)}, LAN ${lan}: ${count} cuts each way`;

export function renderCut(report: CutReport): string {
  return [
    `${cutTitle(report)}  (faild ${report.version})`,
    '',
    ...align([measuredHead, ...cutRows(report)]),
    '',
    ...cutRemarks(report).map((line) => `- ${line}`),
    '',
  ].join('\n');
}

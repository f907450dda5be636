// `faild bench` for the terminal: what was measured, and what it is good for. The rows serve the
// HTML report as well. Pure; used by cli.ts and bench/html.ts.

import type { Summary } from '../base/summary.js';
import { showDuration, writeDuration } from '../base/units.js';
import type { Expectation } from './model.js';
import type { BenchReport } from './report.js';

export type Row = string[];

const figures = ['min', 'p50', 'p99', 'p999', 'max'] as const;

export const measuredHead: Row = ['', 'count', 'min', 'p50', 'p99', 'p99.9', 'max'];

export function summaryRow(name: string, summary: Summary): Row {
  const values = figures.map((figure) => showDuration(summary[figure]));
  return [name, String(summary.count), ...values];
}

export function measuredRows({ lans, timers, routes }: BenchReport): Row[] {
  return [
    ...lans.map(({ lan, roundTripUs }) =>
      roundTripUs === null
        ? [`round trip, LAN ${lan}`, '0']
        : summaryRow(`round trip, LAN ${lan}`, roundTripUs),
    ),
    summaryRow(`timer late by${timers.realtime ? '' : ' (ordinary priority)'}`, timers.lateUs),
    ...(routes === null
      ? []
      : [
          summaryRow('route added', routes.addUs),
          summaryRow('route replaced', routes.replaceUs),
          summaryRow('route removed', routes.removeUs),
        ]),
  ];
}

export const expectedHead: Row = ['', 'setting', 'detects in', 'at most', 'false verdicts'];

export function expectedRows({ recommended, choices, lans }: BenchReport): Row[] {
  const others = choices.filter((choice) => choice !== recommended);
  return [
    recommended === null
      ? ['recommended', 'none: too unsteady']
      : rowOf('recommended', recommended),
    ...others.map((choice) => rowOf('or', choice)),
    ...lans.map(({ lan, inForce }) => rowOf(`in force here, LAN ${lan}`, inForce)),
  ];
}

function rowOf(name: string, { intervalUs, failAfter, detectUs, falsePerDay }: Expectation): Row {
  const interval = writeDuration(intervalUs / 1e6);
  return [
    name,
    `interval ${interval}, fail-after ${failAfter}`,
    showDuration(detectUs.mean),
    showDuration(detectUs.max),
    showRate(falsePerDay),
  ];
}

/** One in so long; what cannot be told from never is said so. */
export function showRate(perDay: number): string {
  if (perDay >= 1) return `${Number(perDay.toPrecision(2))} a day`;
  if (perDay >= 1 / 365) return `1 in ${Number((1 / perDay).toPrecision(2))} days`;
  return 'less than 1 a year';
}

/** What the tables cannot say, whole sentences. */
export function remarks({ lans, acceptedFalsePerDay, notes }: BenchReport): string[] {
  const lost = lans.map(
    ({ lan, lost, unanswered, received }) =>
      `LAN ${lan}: ${lost} of ${received + lost} packets of the peer lost, ${unanswered} questions ` +
      'not answered',
  );
  return [
    ...lost,
    ...notes,
    'false verdicts: on one path, both ends together; extrapolated from what was measured, for a ' +
      `peer whose timers are like ours; recommended is what keeps to ${acceptedFalsePerDay} a day`,
  ];
}

export function renderBench(report: BenchReport): string {
  const { host, peer, seconds, version } = report;
  return [
    `${host} and ${peer}, ${seconds} s  (faild ${version})`,
    '',
    ...align([measuredHead, ...measuredRows(report)]),
    '',
    ...align([expectedHead, ...expectedRows(report)]),
    '',
    ...remarks(report).map((line) => `- ${line}`),
    '',
  ].join('\n');
}

export function align(rows: Row[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => row[at]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, at) =>
        at === 0 ? cell.padEnd(widths[at] ?? 0) : `  ${cell.padStart(widths[at] ?? 0)}`,
      )
      .join('')
      .trimEnd(),
  );
}

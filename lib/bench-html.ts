// `faild bench --html FILE`: one page that needs nothing else, with the tables and a curve for each
// thing that was measured. Pure; used by cli.ts.
import type { BenchReport } from './bench-report.js';
import {
  expectedHead,
  expectedRows,
  measuredHead,
  measuredRows,
  type Row,
  remarks,
} from './bench-text.js';
import { drawDistribution, type Series } from './plot-distribution.js';
import { element, escaped } from './plot-svg.js';

const style =
  ':root{color-scheme:light dark}' +
  'body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}' +
  'table{border-collapse:collapse;margin:1rem 0}' +
  'th,td{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #8884}' +
  'th:first-child,td:first-child{text-align:left;padding-left:0}' +
  'svg{max-width:100%;height:auto;margin:1rem 0}';

export function renderHtml(report: BenchReport): string {
  const title = `faild bench: ${report.host} and ${report.peer}`;
  const { takenAt, seconds, version } = report;
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width">',
    element('title', {}, escaped(title)),
    `<style>${style}</style></head><body>`,
    element('h1', {}, escaped(title)),
    element('p', {}, escaped(`${takenAt}, ${seconds} s, faild ${version}`)),
    table(expectedHead, expectedRows(report)),
    table(measuredHead, measuredRows(report)),
    ...plots(report),
    element(
      'ul',
      {},
      remarks(report)
        .map((line) => element('li', {}, escaped(line)))
        .join(''),
    ),
    '</body></html>',
    '',
  ].join('\n');
}

function table(head: Row, rows: Row[]): string {
  const line = (cell: 'th' | 'td', row: Row) => {
    const cells = head.map((_, at) => `<${cell}>${escaped(row[at] ?? '')}</${cell}>`);
    return `<tr>${cells.join('')}</tr>`;
  };
  return `<table>${line('th', head)}${rows.map((row) => line('td', row)).join('')}</table>`;
}

function plots({ samples }: BenchReport): string[] {
  const { lans, lateUs, routes } = samples;
  const trips = lans.map(({ lan, roundTripsUs }) => ({ name: `LAN ${lan}`, values: roundTripsUs }));
  const changes =
    routes === null
      ? []
      : [
          { name: 'added', values: routes.addUs },
          { name: 'replaced', values: routes.replaceUs },
          { name: 'removed', values: routes.removeUs },
        ];
  return [
    plot('Round trips', trips),
    plot('Timers late by', [{ name: '1 ms apart', values: lateUs }]),
    ...(changes.length === 0 ? [] : [plot('The kernel changes a route', changes)]),
  ];
}

const plot = (title: string, series: Series[]): string =>
  drawDistribution({ title, unit: 'us', series });

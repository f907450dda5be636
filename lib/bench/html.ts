// `faild bench --html FILE`: one page that needs nothing else, with the tables and a curve for each
// thing that was measured. Pure; used by bench/run.ts.
import type { CutReport } from './cut-report.js';
import { cutRemarks, cutRows, cutTitle, nameAll } from './cut-text.js';
import { drawDistribution, type Series } from './plot-distribution.js';
import { element, escaped } from './plot-svg.js';
import type { BenchReport } from './report.js';
import {
  expectedHead,
  expectedRows,
  measuredHead,
  measuredRows,
  type Row,
  remarks,
} from './text.js';

const style =
  ':root{color-scheme:light dark}' +
  'body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}' +
  'table{border-collapse:collapse;margin:1rem 0}' +
  'th,td{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #8884}' +
  'th:first-child,td:first-child{text-align:left;padding-left:0}' +
  'svg{max-width:100%;height:auto;margin:1rem 0}';

export function renderHtml(report: BenchReport): string {
  const { takenAt, seconds, version } = report;
  return page(`faild bench: ${report.host} and ${report.peer}`, {
    when: `${takenAt}, ${seconds} s, faild ${version}`,
    body: [
      table(expectedHead, expectedRows(report)),
      table(measuredHead, measuredRows(report)),
      ...plots(report),
    ],
    remarks: remarks(report),
  });
}

export function renderCutHtml(report: CutReport): string {
  const { takenAt, version, peers } = report;
  return page(`faild bench: ${cutTitle(report)}`, {
    when: `${takenAt}, faild ${version}`,
    body: [table(measuredHead, cutRows(report)), ...cutPlots(report, nameAll(peers))],
    remarks: cutRemarks(report),
  });
}

interface Page {
  when: string;
  body: string[];
  remarks: string[];
}

function page(title: string, { when, body, remarks }: Page): string {
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width">',
    element('title', {}, escaped(title)),
    `<style>${style}</style></head><body>`,
    element('h1', {}, escaped(title)),
    element('p', {}, escaped(when)),
    ...body,
    element('ul', {}, remarks.map((line) => element('li', {}, escaped(line))).join('')),
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

function cutPlots({ samples }: CutReport, peers: string): string[] {
  const told = samples.flatMap(({ there }) => there);
  const some = (values: (number | null)[]) => values.filter((value) => value !== null);
  const series = [
    { name: 'cut → verdict here', values: samples.flatMap(({ hereUs }) => hereUs) },
    { name: 'cut → traffic moved here', values: some(samples.map(({ movedUs }) => movedUs)) },
    { name: `cut → verdict at ${peers}`, values: told.map(({ verdictUs }) => verdictUs) },
    { name: 'heal → traffic back', values: some(samples.map(({ returnedUs }) => returnedUs)) },
  ];
  return [plot('What a cut costs', series)];
}

const plot = (title: string, series: Series[]): string =>
  drawDistribution({ title, unit: 'us', series });

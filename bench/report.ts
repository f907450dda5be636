// From results to words: a table on the terminal after each scenario, and docs/benchmarks.md with
// its plots from the kept results. No figure on that page is typed by hand.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from './machine.js';
import { describePlot, draw } from './plot/plots.js';
import type { Bar, Figure, ScenarioResult, Table } from './scenario.js';
import { scenarios } from './scenarios/index.js';
import type { Summary } from './statistics.js';

/** Of a run that came to no result. */
export interface Failed {
  name: string;
  failed: string;
}
export type Outcome = (ScenarioResult | Failed) & { quick: boolean; machine: Machine };

const kColumns = ['count', 'min', 'p50', 'p99', 'p999', 'max'] as const;
const kHeadings = ['', 'count', 'min', 'p50', 'p99', 'p99.9', 'max', 'bar'];

/** Three significant digits, never more than three decimals; what was counted is mostly whole. */
function shown(value: number, unit: Figure['unit']): string {
  if (unit === 'count') return String(Math.abs(value) < 100 ? round(value) : Math.round(value));
  const digits = Math.max(0, Math.min(3, 2 - Math.floor(Math.log10(Math.abs(value) || 1))));
  return value.toFixed(digits);
}

export const barHolds = (bar: Bar, summary: Summary | null): boolean =>
  summary !== null && summary[bar.figure] <= bar.limit;

function barText({ bars = [], summary }: Figure): string {
  const text = (bar: Bar) =>
    `${bar.figure} <= ${bar.limit}: ${barHolds(bar, summary) ? 'met' : '**missed**'}`;
  return bars.map(text).join('; ');
}

function rowOf(figure: Figure): string[] {
  const { name, unit, summary } = figure;
  const cells = kColumns.map((column) => {
    if (summary === null) return column === 'count' ? '0' : '';
    return column === 'count' ? String(summary.count) : shown(summary[column], unit);
  });
  return [unit === 'count' ? name : `${name}, ${unit}`, ...cells, barText(figure)];
}

const tables = ({ figures, table }: ScenarioResult): Table[] => [
  ...(figures.length === 0 ? [] : [{ headings: kHeadings, rows: figures.map(rowOf) }]),
  ...(table ? [table] : []),
];

/** A scenario for the terminal. */
export function renderText(result: ScenarioResult): string {
  const body = tables(result).flatMap(alignedLines);
  return `${[`\n${result.title}`, ...body, ...result.notes].join('\n')}\n`;
}

function alignedLines({ headings, rows }: Table): string[] {
  const all = [headings, ...rows];
  const widths = headings.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  const line = (row: string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)));
  return all.map((row) => line(row).join('  '));
}

function markdownLines({ headings, rows }: Table): string[] {
  const rule = `|${headings.map((_, i) => (i === 0 ? '---' : '---:')).join('|')}|`;
  const lines = rows.map((row) => `| ${row.join(' | ')} |`);
  return [`| ${headings.join(' | ')} |`, rule, ...lines, ''];
}

function section(outcome: Outcome): string[] {
  if ('failed' in outcome) {
    return [`## ${outcome.name}: failed`, '', `No result: ${outcome.failed}`, ''];
  }
  const plots = (outcome.plots ?? []).map((plot) => `![${describePlot(plot)}](${plot.file})\n`);
  const scope = outcome.quick ? ['A short run (`--quick`).'] : [];
  return [
    `## ${outcome.title}`,
    '',
    outcome.method.join(' '),
    '',
    ...plots,
    ...tables(outcome).flatMap(markdownLines),
    ...[...outcome.notes, ...scope].map((note) => `- ${note}`),
    '',
  ];
}

function renderPage(outcomes: readonly Outcome[]): string {
  const parts = outcomes.flatMap(section);
  return [kIntroduction, ...machines(outcomes), '', ...parts].join('\n');
}

const kIntroduction = `# Benchmarks

Made by \`npm run bench\` from the raw figures in \`bench/results/\`; edit the bench,
not this page. Hosts are network namespaces with real faild processes, LANs are bridges. The
observer stands outside the hosts and does not read the daemons' logs unless a line says so. All
instants are of one CLOCK_MONOTONIC. Each figure is one that was measured (nearest rank).
`;

function machines(outcomes: readonly Outcome[]): string[] {
  const describe = ({ machine }: Outcome) => {
    const { cores, processor, memoryGb, kernel, node, realtime } = machine;
    const fifo = realtime ? 'granted' : 'refused';
    const system = `Linux ${kernel}, Node ${node}; SCHED_FIFO ${fifo}`;
    return `Machine: ${cores} cores (${processor}), ${memoryGb} GB, ${system}.`;
  };
  const limited = outcomes.some(({ machine }) => !machine.realtime) ? [kWithoutFifo] : [];
  const coarse = outcomes.some(({ machine }) => machine.cutter === 'nftables') ? [kWithoutBpf] : [];
  return [...new Set(outcomes.map(describe)), ...limited, ...coarse];
}

export const kWithoutFifo = `
**SCHED_FIFO was refused** for at least one scenario. As root, daemons and observer run at realtime
priority: they then wake within 0.1 ms also beside other work, where an ordinary thread may wait
for several milliseconds. Latencies and false verdicts here are those of an ordinary process, and a
late wake-up of the stall watchers may be their own.`;

export const kWithoutBpf = `
**Cuts were made by nftables** for at least one scenario, since the kernel lets only root load the
cutter's BPF program. A cut's instant is then known to within a millisecond instead of a few
microseconds; each section says how well.`;

/** Every scenario's kept outcome, in their order. */
function keptOutcomes(results: string): Outcome[] {
  const files = scenarios.map(({ name }) => join(results, `${name}.json`));
  return files
    .filter((file) => existsSync(file))
    .map((file) => JSON.parse(readFileSync(file, 'utf8')) as Outcome);
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

/** Keeps a result in less than its digits: a nanosecond is fine enough for microseconds. */
export function keep(results: string, outcome: Outcome): void {
  const shorter = (_: string, value: unknown) => (typeof value === 'number' ? round(value) : value);
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, `${outcome.name}.json`), `${JSON.stringify(outcome, shorter)}\n`);
}

/** Writes the page and its plots from every scenario's kept result. */
export function writePage(results: string, docs: string): void {
  const outcomes = keptOutcomes(results);
  mkdirSync(docs, { recursive: true });
  for (const outcome of outcomes) {
    if ('failed' in outcome) continue;
    for (const plot of outcome.plots ?? []) writeFileSync(join(docs, plot.file), draw(plot));
  }
  writeFileSync(join(docs, 'benchmarks.md'), renderPage(outcomes));
}

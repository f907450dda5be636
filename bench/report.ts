// From results to words: a table on the terminal after each scenario, and docs/benchmarks.md
// from the kept results. No figure on that page is typed by hand.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from './machine.js';
import type { Bar, Figure, ScenarioResult } from './scenario.js';
import { scenarios } from './scenarios/index.js';
import type { Summary } from './statistics.js';

type Kept = ScenarioResult & { quick: boolean; machine: Machine };

const kColumns = ['count', 'min', 'p50', 'p99', 'p999', 'max'] as const;
const kHeadings = ['', 'count', 'min', 'p50', 'p99', 'p99.9', 'max', 'bar'];

/** Three significant digits, never more than three decimals. */
function shown(value: number): string {
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
    return column === 'count' ? String(summary.count) : shown(summary[column]);
  });
  return [`${name}, ${unit}`, ...cells, barText(figure)];
}

/** A scenario for the terminal. */
export function renderText(result: ScenarioResult): string {
  const rows = [kHeadings, ...result.figures.map(rowOf)];
  const widths = kHeadings.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)));
  const table = result.figures.length === 0 ? [] : rows.map((row) => line(row).join('  '));
  return `${[`\n${result.title}`, ...table, ...result.notes].join('\n')}\n`;
}

function renderPage(kept: Kept[]): string {
  const parts = kept.map((result) => {
    const head = `## ${result.title}\n\n${result.method.join(' ')}\n`;
    const rows = result.figures.map((figure) => `| ${rowOf(figure).join(' | ')} |`);
    const rule = `|${kHeadings.map((_, i) => (i === 0 ? '---' : '---:')).join('|')}|`;
    const table = rows.length === 0 ? [] : [`| ${kHeadings.join(' | ')} |`, rule, ...rows, ''];
    const scope = result.quick ? ['- A short run (`--quick`).'] : [];
    return [head, ...table, ...result.notes.map((note) => `- ${note}`), ...scope, ''].join('\n');
  });
  return [kIntroduction, ...machines(kept), '', ...parts].join('\n');
}

const kIntroduction = `# Benchmarks

Made by \`npm run bench\` from the raw figures in \`bench/results/\`; edit the bench,
not this page. Hosts are network namespaces with real faild processes, LANs are bridges. The
observer stands outside the hosts and does not read the daemons' logs unless a line says so. All
instants are of one CLOCK_MONOTONIC. Each figure is one that was measured (nearest rank).
`;

function machines(kept: Kept[]): string[] {
  const describe = ({ machine }: Kept) => {
    const { cores, processor, memoryGb, kernel, node, realtime } = machine;
    const fifo = realtime ? 'granted' : 'refused';
    const system = `Linux ${kernel}, Node ${node}; SCHED_FIFO ${fifo}`;
    return `Machine: ${cores} cores (${processor}), ${memoryGb} GB, ${system}.`;
  };
  return [...new Set(kept.map(describe))];
}

/** Writes the page from every scenario's kept result. */
export function writePage(results: string, page: string): void {
  const files = scenarios
    .map(({ name }) => join(results, `${name}.json`))
    .filter((f) => existsSync(f));
  const kept = files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as Kept);
  writeFileSync(page, renderPage(kept));
}

// What `npm run bench -- --smoke` holds a scenario against: that it came to a result, that every
// figure was measured, and that the page and its plots could be drawn. How fast the machine is does
// not matter.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plot } from './plot/plots.js';
import type { Outcome } from './report.js';

export interface Check {
  what: string;
  /** Null: it holds. */
  problem: string | null;
}

// On a loaded machine every cut may coincide with a stall.
const kMayBeEmpty = /machine not stalled/;

export function judgeSmoke(outcome: Outcome, docs: string): Check[] {
  if ('failed' in outcome) return [{ what: outcome.name, problem: outcome.failed }];
  const page = readFileSync(join(docs, 'benchmarks.md'), 'utf8');
  const figures = outcome.figures.filter(({ name }) => !kMayBeEmpty.test(name));
  return [
    check(`${outcome.name} is on the page`, page.includes(outcome.title)),
    ...figures.map(({ name, summary }) =>
      check(`${outcome.name}: ${name} was measured`, (summary?.count ?? 0) > 0),
    ),
    ...(outcome.plots ?? []).map((plot) =>
      check(`${outcome.name}: ${plot.file} shows something`, isDrawn(plot, docs)),
    ),
  ];
}

const check = (what: string, holds: boolean): Check => ({ what, problem: holds ? null : 'no' });

/** A whole document with marks on it, and every measurement in it finite. */
function isDrawn(plot: Plot, docs: string): boolean {
  const svg = readFileSync(join(docs, plot.file), 'utf8');
  const marks = plot.kind === 'timeline' ? /class="tick s0"/ : /class="curve s0"/;
  return svg.endsWith('</svg>\n') && marks.test(svg) && !/NaN|Infinity|undefined/.test(svg);
}

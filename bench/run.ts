// The bench: `npm run bench`, `npm run bench -- --quick`, `npm run bench -- --only
// failover-1ms,quiet-idle`.
//
// Runs the scenarios one after the other, prints each one's table, keeps the raw figures in
// bench/results/ and has docs/benchmarks.md made from them. Started by bench/bench.mjs, which
// builds what is missing.
import '../test/lab/in-arena.js';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { arenaIsPrivileged } from '../test/lab/arena.js';
import { Agent } from './agent.js';
import { describeMachine } from './machine.js';
import { renderText, writePage } from './report.js';
import type { Scale, Scenario } from './scenario.js';
import { scenarios } from './scenarios/index.js';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    results: { type: 'string', default: 'bench/results' },
  },
});
const scale: Scale = { quick: values.quick, of: (full, quick) => (values.quick ? quick : full) };

function chosen(): Scenario[] {
  if (values.only === undefined) return scenarios;
  return values.only.split(',').map((name) => {
    const scenario = scenarios.find((candidate) => candidate.name === name);
    if (scenario) return scenario;
    process.stderr.write(
      `--only: no scenario '${name}'; there are ${scenarios.map((s) => s.name)}\n`,
    );
    return process.exit(2);
  });
}

async function realtimeGranted(): Promise<boolean> {
  const agent = await Agent.start();
  await agent.stop();
  return agent.realtime;
}

async function main(): Promise<void> {
  if (!arenaIsPrivileged()) {
    process.stderr.write('npm run bench: needs root, for the cutter (BPF) and SCHED_FIFO\n');
    process.exit(1);
  }
  const machine = describeMachine(await realtimeGranted());
  mkdirSync(values.results, { recursive: true });
  for (const scenario of chosen()) {
    const result = await scenario.run(scale);
    process.stdout.write(renderText(result));
    const kept = { ...result, quick: values.quick, machine };
    writeFileSync(join(values.results, `${result.name}.json`), `${JSON.stringify(kept)}\n`);
  }
  if (!values.quick) writePage(values.results, 'docs/benchmarks.md');
}

await main();
process.exit(0);

// The bench:
//
//   npm run bench                                   all, in 45 minutes; writes docs/benchmarks.md
//   npm run bench -- --quick                        short; nothing of the checkout is changed
//   npm run bench -- --only failover-1ms,tcp        these alone; the page keeps the others
//   npm run bench -- --smoke                        whether it measures at all, for CI
//   npm run bench -- --page                         measures nothing, draws the page again
//
// Runs the scenarios one after the other, prints each one's table, keeps the raw figures in
// bench/results/ and has the page made from them. One that fails does not keep the others from
// running: the page says which failed and why, and the exit status is 1. Started by
// bench/bench.mjs, which builds what is missing.
import '../test/lab/in-arena.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { arenaIsPrivileged, leftInArena } from '../test/lab/arena.js';
import { outcome } from '../test/lab/shell.js';
import { nativeProgram } from './agent.js';
import { BenchLab } from './lab.js';
import { describeMachine, type Machine } from './machine.js';
import { keep, kWithoutBpf, kWithoutFifo, type Outcome, renderText, writePage } from './report.js';
import type { Scale, Scenario } from './scenario.js';
import { scenarios } from './scenarios/index.js';
import { type Check, judgeSmoke } from './smoke.js';

/** How long a failed scenario may take to notice that everything of it has ended. */
const kGraceMs = 10_000;
/** A stall of the machine may spoil the one cut of its kind that a smoke run makes. */
const kSmokeTries = 3;

function readArguments() {
  try {
    return parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        smoke: { type: 'boolean', default: false },
        page: { type: 'boolean', default: false },
        only: { type: 'string' },
        results: { type: 'string' },
        docs: { type: 'string' },
      },
    }).values;
  } catch (error) {
    process.stderr.write(
      `bench: ${(error as Error).message}; accepted: --quick, --smoke, --page, --only NAME,NAME, ` +
        '--results DIRECTORY, --docs DIRECTORY\n',
    );
    return process.exit(2);
  }
}

const values = readArguments();

const short = values.quick || values.smoke;
const scale: Scale = {
  quick: short,
  of: (full, quick, smoke = Math.ceil(quick / 10)) =>
    values.smoke ? smoke : values.quick ? quick : full,
};

function chosen(): Scenario[] {
  if (values.only === undefined)
    return values.smoke ? scenarios.filter((scenario) => scenario.smoke) : scenarios;
  return values.only.split(',').map((name) => {
    const scenario = scenarios.find((candidate) => candidate.name === name);
    if (scenario) return scenario;
    process.stderr.write(
      `--only: no scenario '${name}'; there are ${scenarios.map((s) => s.name)}\n`,
    );
    return process.exit(2);
  });
}

/** What the kernel lets us do: SCHED_FIFO, and the cutter's BPF program. */
async function askMachine(): Promise<Machine> {
  const lab = await BenchLab.create();
  await lab.destroy();
  const machine = describeMachine(lab.agent.realtime, lab.cutter);
  if (!machine.realtime) process.stdout.write(`${kWithoutFifo}\n`);
  if (machine.cutter === 'nftables') process.stdout.write(`${kWithoutBpf}\n`);
  return machine;
}

/** A scenario that hangs must not keep the others from running. */
async function withinReason<T>(running: Promise<T>): Promise<T> {
  const seconds = scale.of(1800, 120, 60);
  const abort = new AbortController();
  const late = sleep(seconds * 1000, undefined, { signal: abort.signal }).then(() => {
    throw new Error(`no result within ${seconds} s`);
  });
  try {
    return await Promise.race([running, late]);
  } finally {
    abort.abort();
    late.catch(() => {});
  }
}

/** Ends what a failed scenario left: everything in the arena but ourselves is of its making. */
async function clearArena(): Promise<void> {
  for (const pid of leftInArena().pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
  for (const netns of leftInArena().namespaces) await outcome(['ip', 'netns', 'delete', netns]);
}

async function attempt(scenario: Scenario, machine: Machine): Promise<Outcome> {
  const rest = { quick: short, machine };
  const startedMs = performance.now();
  const running = scenario.run(scale);
  try {
    const result = await withinReason(running);
    process.stdout.write(renderText(result));
    process.stdout.write(`(${((performance.now() - startedMs) / 1000).toFixed(0)} s)\n`);
    return { ...result, ...rest };
  } catch (error) {
    const failed = error instanceof Error ? error.message : String(error);
    process.stderr.write(`\n${scenario.name}: failed: ${failed}\n`);
    await clearArena();
    await Promise.allSettled([Promise.race([running, sleep(kGraceMs)])]);
    return { name: scenario.name, failed, ...rest };
  }
}

interface Places {
  results: string;
  docs: string;
}

async function measure({ results, docs }: Places, wanted: Scenario[]): Promise<Outcome[]> {
  const machine = await askMachine();
  const outcomes: Outcome[] = [];
  for (const scenario of wanted) {
    const result = await attempt(scenario, machine);
    keep(results, result);
    outcomes.push(result);
  }
  writePage(results, docs);
  process.stdout.write(`\nThe page: ${join(docs, 'benchmarks.md')}\n`);
  return outcomes;
}

/** A short run must not replace the figures of a whole one. */
function places(): Places {
  const scratch = nativeProgram(arenaIsPrivileged() ? 'short' : 'short-user');
  return {
    results: values.results ?? (short ? join(scratch, 'results') : 'bench/results'),
    docs: values.docs ?? (short ? scratch : 'docs'),
  };
}

/** The last line is `N passed, N failed`. */
async function smoke(): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), 'faild-bench-'));
  const where = { results: join(directory, 'results'), docs: directory };
  try {
    const checks = await tryAll(where);
    const failed = checks.filter(fails).length;
    process.stdout.write(`${checks.length - failed} passed, ${failed} failed\n`);
    return failed === 0;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const fails = ({ problem }: Check): boolean => problem !== null;

/** Each scenario's checks the last time it ran: it runs again while one of them fails. */
async function tryAll(where: Places): Promise<Check[]> {
  const checks = new Map<string, Check[]>();
  let left = chosen();
  for (let i = 0; i < kSmokeTries && left.length > 0; i++) {
    const outcomes = await measure(where, left);
    for (const outcome of outcomes) {
      const seen = judgeSmoke(outcome, where.docs);
      checks.set(outcome.name, seen);
      for (const { what, problem } of seen.filter(fails))
        process.stdout.write(`FAIL ${what}: ${problem} (try ${i + 1} of ${kSmokeTries})\n`);
    }
    left = left.filter(({ name }) => checks.get(name)?.some(fails));
  }
  return [...checks.values()].flat();
}

async function main(): Promise<boolean> {
  if (values.smoke) return smoke();
  const where = places();
  if (values.page) {
    writePage(where.results, where.docs);
    return true;
  }
  return (await measure(where, chosen())).every((outcome) => !('failed' in outcome));
}

process.exit((await main()) ? 0 : 1);

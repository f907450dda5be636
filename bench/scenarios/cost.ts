// What a healthy pair costs: CPU of each daemon process, all its threads, and its resident memory.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { nowUs } from '../../test/lab/shell.js';
import { withPair } from '../pair.js';
import type { Bar, Figure, Scale, ScenarioResult } from '../scenario.js';
import { summarize } from '../statistics.js';

interface Cost {
  cpuPercent: number[];
  memoryMb: number[];
}

export async function cost(scale: Scale): Promise<ScenarioResult> {
  const seconds = scale.of(30, 5);
  const fast = await measure(0.001, seconds);
  const slow = await measure(0.1, seconds);
  return {
    name: 'cost',
    title: 'What a healthy pair costs',
    method: [
      `CPU time of each of two daemons over ${seconds} s, all threads, in percent of one core; then`,
      'its resident memory. No stream runs; sending includes the way through bridge and veth.',
    ],
    figures: [
      figure('CPU at `-t 0.001`', '%', fast.cpuPercent, [{ figure: 'max', limit: 5 }]),
      figure('CPU at `-t 0.1`', '%', slow.cpuPercent),
      figure('resident memory at `-t 0.001`', 'MB', fast.memoryMb, [{ figure: 'max', limit: 90 }]),
      figure('resident memory at `-t 0.1`', 'MB', slow.memoryMb, [{ figure: 'max', limit: 90 }]),
    ],
    notes: [],
    raw: { fast, slow },
  };
}

const figure = (
  name: string,
  unit: Figure['unit'],
  values: number[],
  bars: Bar[] = [],
): Figure => ({
  name,
  unit,
  summary: summarize(values),
  bars,
});

function measure(interval: number, seconds: number): Promise<Cost> {
  return withPair({ interval, failAfter: 3, restoreAfter: 10 }, async () => {
    await sleep(3000); // V8 compiles and collects for a while after the start
    const pids = daemonPids();
    const before = { atUs: nowUs(), cpuUs: pids.map(cpuUs) };
    await sleep(seconds * 1000);
    const elapsedUs = nowUs() - before.atUs;
    return {
      cpuPercent: pids.map(
        (pid, i) => ((cpuUs(pid) - (before.cpuUs[i] as number)) / elapsedUs) * 100,
      ),
      memoryMb: pids.map(residentMb),
    };
  });
}

/** The daemons of this arena: nothing else in its process namespace runs `cli.js`. */
function daemonPids(): number[] {
  const isDaemon = (pid: string) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('cli.js');
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isDaemon(name))
    .map(Number);
}

/** CPU time of all threads, from the scheduler's own nanoseconds. */
function cpuUs(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const ns = tasks.map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  return ns.reduce((sum, value) => sum + value, 0) / 1000;
}

function residentMb(pid: number): number {
  const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kb) / 1024;
}

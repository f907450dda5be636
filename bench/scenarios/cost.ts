// What a healthy pair costs: CPU of each daemon process, all its threads, and its resident memory.
import { setTimeout as sleep } from 'node:timers/promises';
import { withPair } from '../pair.js';
import { countCpu, daemonPids, residentMb } from '../processes.js';
import type { Bar, Figure, Scale, ScenarioResult } from '../scenario.js';
import { summarize } from '../statistics.js';

interface Cost {
  cpuPercent: number[];
  memoryMb: number[];
}

export async function cost(scale: Scale): Promise<ScenarioResult> {
  const seconds = scale.of(20, 2);
  const settleMs = scale.of(3000, 1000); // V8 compiles and collects for a while after the start
  const fast = await measure(0.001, settleMs, seconds);
  const slow = await measure(0.1, settleMs, seconds);
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

function measure(interval: number, settleMs: number, seconds: number): Promise<Cost> {
  return withPair({ interval, failAfter: 3, restoreAfter: 10 }, async () => {
    await sleep(settleMs);
    const pids = daemonPids();
    const cpu = countCpu(pids);
    await sleep(seconds * 1000);
    return { cpuPercent: cpu(), memoryMb: pids.map(residentMb) };
  });
}

// CPU time and memory of the daemon processes, as the kernel counts them.
import { readdirSync, readFileSync } from 'node:fs';
import { nowUs } from '../test/lab/shell.js';

/** The daemons of this arena: nothing else in its process namespace runs `cli.js`. */
export function daemonPids(): number[] {
  const isDaemon = (pid: string) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('cli.js');
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isDaemon(name))
    .map(Number);
}

/** A thread by its name, as the kernel has it. */
type Which = (name: string) => boolean;
const all: Which = () => true;
/** The engine's thread of a daemon. */
export const isEngine: Which = (name) => name === 'faild-engine';

/** CPU time of these threads, from the scheduler's own nanoseconds. */
function cpuUs(pid: number, which: Which): number {
  const tasks = readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}`);
  const ns = tasks
    .filter((task) => which(readFileSync(`${task}/comm`, 'utf8').trim()))
    .map((task) => Number(readFileSync(`${task}/schedstat`, 'utf8').split(' ')[0]));
  return ns.reduce((sum, value) => sum + value, 0) / 1000;
}

/** Starts counting; the answer tells the percentage of one core that each used since. */
export function countCpu(pids: readonly number[], which: Which = all): () => number[] {
  const startedUs = nowUs();
  const before = pids.map((pid) => cpuUs(pid, which));
  return () => {
    const elapsedUs = nowUs() - startedUs;
    return pids.map((pid, i) => ((cpuUs(pid, which) - (before[i] as number)) / elapsedUs) * 100);
  };
}

/** Millions of bytes; what the kernel calls kB are 1024. */
export function residentMb(pid: number): number {
  const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kb) * 1024) / 1e6;
}

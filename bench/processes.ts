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

/** CPU time of all threads, from the scheduler's own nanoseconds. */
function cpuUs(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const ns = tasks.map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  return ns.reduce((sum, value) => sum + value, 0) / 1000;
}

/** Starts counting; the answer tells the percentage of one core that each used since. */
export function countCpu(pids: readonly number[]): () => number[] {
  const startedUs = nowUs();
  const before = pids.map(cpuUs);
  return () => {
    const elapsedUs = nowUs() - startedUs;
    return pids.map((pid, i) => ((cpuUs(pid) - (before[i] as number)) / elapsedUs) * 100);
  };
}

export function residentMb(pid: number): number {
  const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kb) / 1024;
}

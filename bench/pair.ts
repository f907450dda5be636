// Two hosts (or more, of which two are observed) with a real daemon each, met and settled: what
// most scenarios start from.
import { Daemon, type DaemonOptions } from '../test/lab/daemon.js';
import { BenchLab, kStallPeriodUs, kStreamPeriodUs } from './lab.js';

export interface Pair {
  lab: BenchLab;
  daemons: Daemon[];
}

/** Flags that every daemon of the bench gets beside its timing. */
export const kLans = ['--lan', 'A=lana', '--lan', 'B=lanb'];

/** Builds the lab, starts the daemons, runs `work`, and clears everything away whatever happens. */
export async function withPair<T>(
  options: DaemonOptions,
  work: (pair: Pair) => Promise<T>,
  hosts = 2,
): Promise<T> {
  const lab = await BenchLab.create(hosts);
  const daemons: Daemon[] = [];
  try {
    await lab.watchPair();
    const more = [...kLans, ...(options.more ?? [])];
    for (const host of lab.topology.hosts)
      daemons.push(await Daemon.start(host, { ...options, more }));
    await meet(daemons);
    return await work({ lab, daemons });
  } finally {
    for (const daemon of daemons) await daemon.kill();
    await lab.destroy();
  }
}

/** Every path of every pair has been up. */
export async function meet(daemons: readonly Daemon[]): Promise<void> {
  for (const daemon of daemons) {
    for (const other of daemons) {
      if (other !== daemon) await daemon.knows(other.host);
    }
  }
}

/** Traffic and stall watchers on, and a second for everything to settle. */
export async function beginMeasuring({ lab }: Pair): Promise<void> {
  await lab.agent.watchStalls(kStallPeriodUs);
  await lab.agent.pace(kStreamPeriodUs);
  await lab.calm(1000);
}

export async function endMeasuring({ lab }: Pair): Promise<void> {
  await lab.agent.pace(0);
  await lab.agent.watchStalls(0);
}

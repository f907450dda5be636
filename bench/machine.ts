// What the figures were measured on: enough to compare, nothing that names a host or a path.
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import type { CutterKind } from './lab.js';

export interface Machine {
  cores: number;
  processor: string;
  memoryGb: number;
  kernel: string;
  node: string;
  /** Whether SCHED_FIFO was granted. */
  realtime: boolean;
  /** How the LANs were cut. */
  cutter: CutterKind;
}

export function describeMachine(realtime: boolean, cutter: CutterKind): Machine {
  const release = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release.match(/^\d+(\.\d+)*/)?.[0] ?? release, // the rest is a distributor's build name
    node: process.version,
    realtime,
    cutter,
  };
}

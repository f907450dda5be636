// What the comparison asks of a contender: how one end of it is started, when it is ready, where
// its traffic goes, how it ends. bench/scenarios/peers.ts plays them; each module beside this one
// knows one neighbour.
//
// One contender is one program with one configuration. It is told nothing of cuts, and the
// observer reads nothing of its own, except where there is no route to watch (corosync.ts).
import type { Host } from '../../test/lab/topology.js';
import type { AgentReport } from '../agent.js';

/** The place of one end: where it runs, whom it watches, and a directory that goes with the lab. */
export interface Site {
  host: Host;
  other: Host;
  directory: string;
}

export type Moves = AgentReport['watches'][string]['moves'];

/** One end, started. */
export interface End {
  /** What keeps it from being ready for a cut; nothing once it is. */
  problems(): Promise<string[]>;
  /** Resolves when all its processes are gone. */
  stop(): Promise<void>;
  /** Where its traffic went since an instant, for what moves it without the kernel's routes. */
  moves?(sinceUs: number): Moves;
}

/** How the cuts of one contender are timed: long enough for it, and no longer. */
export interface Timing {
  /** Of its packets. */
  intervalMs: number;
  holdMs: number;
  settleMs: number;
  /** Cuts of one turn. */
  cuts: number;
  /** Of a turn with --quick; without it the contender is left out there. */
  quickCuts?: number;
  /** Before each cut, for what remembers the last one. */
  restMs?: number;
}

export interface Contender {
  /** As in `bird-10ms`; unique. */
  name: string;
  /** The program, as the page calls it. */
  peer: string;
  /** As in `10 ms x 3, SCHED_FIFO`. */
  setting: string;
  timing: Timing;
  /** What must be installed; a contender whose program is not there is left out. */
  program: string;
  version(): Promise<string>;
  /** Where traffic for this host is sent to, once the contender runs. */
  address(host: Host): string;
  start(site: Site): Promise<End>;
}

/** faild's priority too: at its lowest setting every contender gets the same. */
export const kPriority = 50;

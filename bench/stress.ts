// What a daemon may have to live with on a bad day: the steps of the stress ladder
// (scenarios/ladder.ts). Each begins when asked, and ends when its answer is called.
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Daemon } from '../test/lab/daemon.js';
import { nativeProgram } from './agent.js';
import { Child } from './child.js';
import type { BenchLab } from './lab.js';
import { daemonPids } from './processes.js';
import { random } from './statistics.js';

/** Where a step finds what it makes life hard for. */
export interface Stage {
  lab: BenchLab;
  /** Of real daemons; none where programs embed faild. */
  daemons: readonly Daemon[];
  /** The programs that embed faild. */
  embedded: readonly Child[];
}

export type End = () => Promise<void>;

export interface Step {
  name: string;
  /** For the page, one sentence. */
  told: string;
  /** Programs that embed faild run instead of daemons. */
  embedded?: boolean;
  /** A third daemon runs, on host 3. */
  third?: boolean;
  begin(stage: Stage): Promise<End>;
}

const kBelowOurs = 20; // SCHED_FIFO; the engine's thread has 50
const kFloodRate = 50_000;
const kFaildPort = 9311;
const kMemoryLimit = 192 << 20;
const kFileMb = 256;
const kBlockMs = 2000;

export const kSteps: Step[] = [
  { name: 'idle', told: 'Nothing else runs.', begin: async () => async () => {} },
  {
    name: 'both cores busy',
    told: 'A busy loop a core, at ordinary priority.',
    begin: () => load('spin', 0, 1000, 0),
  },
  {
    name: 'both cores busy at SCHED_FIFO',
    told:
      `A loop a core at SCHED_FIFO ${kBelowOurs}, below the engine’s 50, busy for 90 ms of every 100. ` +
      '(Busier than 95 % and the kernel itself runs ordinary processes over every SCHED_FIFO thread.)',
    begin: () => load('spin', kBelowOurs, 90_000, 10_000),
  },
  {
    name: 'memory pressure',
    told:
      `The daemons share a memory cgroup of ${kMemoryLimit >> 20} MB with a program that takes and gives ` +
      `back memory on each core and reads a file of ${kFileMb} MB over and over.`,
    begin: pressMemory,
  },
  {
    name: 'packet flood on the LAN',
    told:
      `Host 3 broadcasts ${kFloodRate.toLocaleString('en')} datagrams a second on LAN A, half of them to ` +
      'faild’s own port.',
    begin: ({ lab }) => load('flood', lab.topology.host(3).netns, 'lana', kFaildPort, kFloodRate),
  },
  {
    name: 'JavaScript blocked',
    told: `Both hosts run a program that embeds faild and computes for ${kBlockMs / 1000} s at a time.`,
    embedded: true,
    begin: async ({ embedded }) => repeat(() => blockOnce(embedded)),
  },
  {
    name: 'a neighbour stops and continues',
    told:
      'Host 3’s daemon is stopped for 10 to 1000 ms at a time (SIGSTOP) and continued. Its own ' +
      'verdicts on host 1 count, too.',
    third: true,
    begin: async ({ daemons }) => {
      const next = random(1);
      return repeat(() => stopOnce(daemons[2] as Daemon, 10 + 990 * next()));
    },
  },
];

/** Starts a load program (native/load_main.cc). */
async function load(...words: (string | number)[]): Promise<End> {
  const argv = [nativeProgram('faild-bench-load'), ...words.map(String)];
  const { child } = await Child.start(`load ${words[0]}`, argv);
  return () => child.stop();
}

/** Does something over and over until it is ended. */
function repeat(once: () => Promise<void>): End {
  let going = true;
  const work = (async () => {
    while (going) await once();
  })();
  return () => {
    going = false;
    return work;
  };
}

async function blockOnce(programs: readonly Child[]): Promise<void> {
  await Promise.all(programs.map((program) => program.ask('block', kBlockMs)));
  await Promise.all(programs.map((program) => program.ask('wait')));
}

async function stopOnce(daemon: Daemon, ms: number): Promise<void> {
  daemon.signal('SIGSTOP');
  await sleep(ms);
  daemon.signal('SIGCONT');
  await sleep(500);
}

async function pressMemory(): Promise<End> {
  const file = join(tmpdir(), `faild-bench-${process.pid}`);
  const group = MemoryGroup.make();
  const argv = [nativeProgram('faild-bench-load'), 'memory', file, String(kFileMb)];
  // Inside before it fills its file: memory belongs to the group that it was first used in.
  const { child } = await Child.start('load memory', group?.inside(argv) ?? argv);
  group?.add(daemonPids());
  return async () => {
    await child.stop();
    group?.remove();
  };
}

// Version 1 of the kernel's memory cgroups, then version 2: how they are limited, and where they
// say how often they had to make room.
const kGroups = [
  { at: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes', pressed: 'memory.failcnt' },
  { at: '/sys/fs/cgroup', limit: 'memory.high', pressed: 'memory.events' },
];
const kGroupName = 'faild-bench-';

/** A memory cgroup with little room. Where the kernel allows none, the pressure is the load's. */
class MemoryGroup {
  private constructor(
    private readonly parent: string,
    private readonly path: string,
    private readonly pressed: string,
  ) {}

  static make(): MemoryGroup | undefined {
    for (const { at, limit, pressed } of kGroups) {
      const path = join(at, `${kGroupName}${process.hrtime.bigint()}`);
      try {
        sweep(at);
        mkdirSync(path);
        writeFileSync(join(path, limit), String(kMemoryLimit));
        return new MemoryGroup(at, path, pressed);
      } catch {
        removeGroup(path);
      }
    }
    return undefined;
  }

  /** `argv`, to be run inside. */
  inside(argv: readonly string[]): string[] {
    return ['sh', '-c', 'echo $$ > "$0" && exec "$@"', join(this.path, 'cgroup.procs'), ...argv];
  }

  add(pids: readonly number[]): void {
    for (const pid of pids) writeFileSync(join(this.path, 'cgroup.procs'), String(pid));
  }

  /** Nobody's pressure would be no measurement. */
  remove(): void {
    const text = readFileSync(join(this.path, this.pressed), 'utf8');
    const times = Number(/^(?:high )?(\d+)$/m.exec(text)?.[1] ?? 0);
    for (const pid of daemonPids()) writeFileSync(join(this.parent, 'cgroup.procs'), String(pid));
    removeGroup(this.path);
    if (times === 0) throw new Error('the memory group never had to make room');
  }
}

/** Removes what a run that was killed has left: the kernel refuses where anybody is inside. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent).filter((entry) => entry.startsWith(kGroupName)))
    removeGroup(join(parent, name));
}

function removeGroup(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // It was never made, or somebody is inside.
  }
}

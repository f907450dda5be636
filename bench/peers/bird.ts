// BIRD 2: BFD with static routes (bird.conf). A static route with `bfd` is in the kernel only while
// the session is up, so the kernel's own routes say when it is ready.
import { join } from 'node:path';
import type { Contender, End, Site, Timing } from './contender.js';
import { atRealtime, configure, PeerProcess, routeProblems, versionOf } from './process.js';

interface Setting {
  name: string;
  setting: string;
  /** The line of the BFD interface; without it all is as BIRD has it by default. */
  bfd?: string;
  realtime?: boolean;
  timing: Timing;
}

async function start(site: Site, { bfd = '', realtime = false }: Setting): Promise<End> {
  const path = configure(site, 'bird.conf', { bfd });
  const at = (file: string) => join(site.directory, file);
  const argv = ['bird', '-f', '-c', path, '-s', at('bird.ctl'), '-P', at('bird.pid')];
  const bird = PeerProcess.start(site, 'bird', realtime ? atRealtime(argv) : argv);
  return {
    problems: () => {
      bird.mustRun();
      return routeProblems(
        site,
        new RegExp(`^${site.other.address('a')} .* dev lana .*proto bird`),
      );
    },
    stop: () => bird.stop(),
  };
}

const bird = (setting: Setting): Contender => ({
  ...setting,
  peer: 'BIRD BFD + static',
  program: 'bird',
  version: () => versionOf(['bird', '--version'], /version ([\d.]+)/),
  address: (host) => host.address('a'),
  start: (site) => start(site, setting),
});

// `idle`: RFC 5880 asks for a packet a second while a session is down; BIRD can be told otherwise,
// and then returns as soon as it can.
const lowest = (ms: number): string =>
  `interval ${ms} ms; idle tx interval ${ms} ms; multiplier 3;`;

export const birdContenders: Contender[] = [
  bird({
    name: 'bird-default',
    setting: '100 ms x 5 (default)',
    timing: { intervalMs: 100, holdMs: 800, settleMs: 1800, cuts: 2 },
  }),
  bird({
    name: 'bird-10ms',
    setting: '10 ms x 3, SCHED_FIFO',
    bfd: lowest(10),
    realtime: true,
    timing: { intervalMs: 10, holdMs: 100, settleMs: 200, cuts: 15, quickCuts: 4 },
  }),
  bird({
    name: 'bird-5ms',
    setting: '5 ms x 3, SCHED_FIFO',
    bfd: lowest(5),
    realtime: true,
    timing: { intervalMs: 5, holdMs: 100, settleMs: 200, cuts: 15 },
  }),
  bird({
    name: 'bird-1ms',
    setting: '1 ms x 3, SCHED_FIFO',
    bfd: lowest(1),
    realtime: true,
    timing: { intervalMs: 1, holdMs: 100, settleMs: 150, cuts: 15 },
  }),
];

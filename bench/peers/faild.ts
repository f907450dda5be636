// faild itself, as a contender among the others: the daemon as `npm run build` makes it, with
// nothing but its timing and the LANs' names on the command line.
import { Daemon, isPath, kCli } from '../../test/lab/daemon.js';
import { outcome } from '../../test/lab/shell.js';
import { kLans } from '../pair.js';
import type { Contender, End, Site, Timing } from './contender.js';

async function start({ host, other }: Site, interval: number): Promise<End> {
  const daemon = await Daemon.start(host, { interval, failAfter: 3, more: kLans });
  const isUp = (lan: string) =>
    daemon.log.all.some(({ kind, path }) => kind === 'path-up' && isPath(path, other, lan));
  return {
    problems: async () =>
      other.lans.filter((lan) => !isUp(lan)).map((lan) => `${host.name}: LAN ${lan} is not up`),
    stop: async () => {
      await daemon.stop();
    },
  };
}

const faild = (timing: Timing): Contender => ({
  name: `faild-${timing.intervalMs}ms`,
  peer: 'faild',
  setting: `${timing.intervalMs} ms x 3${timing.intervalMs === 100 ? ' (default)' : ''}`,
  timing,
  program: process.execPath,
  version: async () => (await outcome([process.execPath, kCli, '--version'])).stdout.trim(),
  address: (host) => host.address('a'),
  start: (site) => start(site, timing.intervalMs / 1000),
});

export const faildContenders: Contender[] = [
  faild({ intervalMs: 100, holdMs: 450, settleMs: 1500, cuts: 3 }),
  faild({ intervalMs: 10, holdMs: 100, settleMs: 300, cuts: 15, quickCuts: 4 }),
  faild({ intervalMs: 1, holdMs: 100, settleMs: 150, cuts: 15, quickCuts: 4 }),
];

// corosync with kronosnet (corosync.conf): a tunnel over the best of two links. No route of the
// kernel changes, so the moves are corosync's own word: the lines in which knet says which link it
// takes, stamped by corosync to the millisecond (of a clock that ticks every 4 ms). What the
// stream through the tunnel sees is the observer's.
//
// Two of them do not live on one machine as they are: each gets a /run and a /dev/shm of its own,
// below the lab's.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { nowUs } from '../../test/lab/shell.js';
import type { Contender, End, Moves, Site, Timing } from './contender.js';
import { configure, PeerProcess, versionOf } from './process.js';

const kBestLink = /^(\w+ \d+ [\d:.]+) .*\(passive\) best link: (\d)/gm;
const kLinkUp = /rx: host: \d link: (\d) is up/g;
const kApart = [
  'mount --bind "$0/shm" /dev/shm',
  'mount --bind "$0" /run',
  'exec corosync -f -c /run/corosync.conf',
];

function start(site: Site, timing: string): Promise<End> {
  for (const name of ['shm', 'state']) mkdirSync(join(site.directory, name));
  configure(site, 'corosync.conf', { timing });
  const argv = ['unshare', '--mount', '--uts', '--ipc', 'sh', '-ec', kApart.join('\n')];
  const corosync = PeerProcess.start(site, 'corosync', [...argv, site.directory]);
  return Promise.resolve({
    problems: async () => {
      corosync.mustRun();
      const up = new Set([...corosync.said().matchAll(kLinkUp)].map(([, link]) => link));
      return ['0', '1'].filter((link) => !up.has(link)).map((link) => `link ${link} is not up`);
    },
    stop: () => corosync.stop(),
    moves: (sinceUs) => movesIn(corosync.said(), sinceUs),
  });
}

/** The links taken, the one in force at the start first, then each change. */
export function movesIn(log: string, sinceUs: number): Moves {
  const offsetUs = nowUs() - Date.now() * 1000; // corosync stamps by the wall clock
  const year = new Date().getFullYear();
  const taken = [...log.matchAll(kBestLink)].map(([, at, link]) => ({
    atUs: new Date(`${at?.replace(/ (\d+) /, ` $1 ${year} `)}`).getTime() * 1000 + offsetUs,
    interface: Number(link),
  }));
  const before = taken.filter(({ atUs }) => atUs < sinceUs).at(-1);
  const since = taken.filter(({ atUs }) => atUs >= sinceUs);
  const rows = before ? [{ ...before, atUs: sinceUs }, ...since] : since;
  return rows.filter(({ interface: link }, i) => i === 0 || link !== rows[i - 1]?.interface);
}

const corosync = (name: string, setting: string, knet: string[], timing: Timing): Contender => ({
  name,
  peer: 'corosync/knet',
  setting,
  timing,
  program: 'corosync',
  version: () => versionOf(['corosync', '-v'], /version '([\d.]+)'/),
  address: (host) => `10.9.0.${host.number}`,
  start: (site) => start(site, knet.map((line) => `    ${line}`).join('\n')),
});

export const corosyncContenders: Contender[] = [
  corosync('knet-default', 'token 3 s: 750 / 1500 ms, 2 pongs (default)', [], {
    intervalMs: 750,
    holdMs: 4000,
    settleMs: 3000,
    cuts: 1,
    restMs: 4000,
  }),
  corosync(
    'knet-100ms',
    '100 / 300 ms, 1 pong',
    ['knet_ping_interval: 100', 'knet_ping_timeout: 300', 'knet_pong_count: 1'],
    { intervalMs: 100, holdMs: 2500, settleMs: 700, cuts: 2, restMs: 2500 },
  ),
];

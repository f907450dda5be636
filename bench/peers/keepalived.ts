// keepalived, twice: VRRPv3 as a heartbeat (keepalived-vrrp.conf), and its BFD with a route that
// follows the session (keepalived-bfd.conf). It forks a process for each protocol and ends them
// with itself.
import { join } from 'node:path';
import { type Contender, type End, kPriority, type Site, type Timing } from './contender.js';
import { configure, PeerProcess, routeProblems, versionOf } from './process.js';

interface Setting {
  name: string;
  peer: string;
  setting: string;
  template: string;
  values: Record<string, unknown>;
  timing: Timing;
  problems(site: Site): Promise<string[]>;
}

async function start(site: Site, { template, values, problems }: Setting): Promise<End> {
  const pidFiles = ['-p', '-r', '-c', '-b'].flatMap((option) => [
    option,
    join(site.directory, `keepalived${option}.pid`),
  ]);
  const path = configure(site, template, values);
  const argv = ['keepalived', '--dont-fork', '--log-console', '--no-syslog', '-f', path];
  const keepalived = PeerProcess.start(site, 'keepalived', [...argv, ...pidFiles]);
  return {
    problems: () => {
      keepalived.mustRun();
      return problems(site);
    },
    stop: () => keepalived.stop(),
  };
}

const keepalived = (setting: Setting): Contender => ({
  ...setting,
  program: 'keepalived',
  version: () => versionOf(['keepalived', '--version'], /v([\d.]+)/),
  address: (host) => host.address('a'),
  start: (site) => start(site, setting),
});

/** Master of its own instance and of no other. */
async function vrrpProblems(site: Site): Promise<string[]> {
  const { host, other } = site;
  const held = await host.run('ip', 'address', 'show', 'dev', 'lo');
  const own = held.includes(`10.9.0.${host.number}/`) ? [] : [`${host.name} is no master yet`];
  const peers = held.includes(`10.9.0.${other.number}/`) ? [`${host.name} is both masters`] : [];
  const route = await routeProblems(site, /^10\.1\.0\.\d dev lana .*metric 200/);
  return [...own, ...peers, ...route];
}

const vrrp = (setting: Omit<Setting, 'peer' | 'template' | 'problems'>): Contender =>
  keepalived({
    ...setting,
    peer: 'keepalived VRRPv3',
    template: 'keepalived-vrrp.conf',
    problems: vrrpProblems,
  });

/** The better route is there: the session is up and the instance has noticed. */
const bfd = (setting: Omit<Setting, 'peer' | 'template' | 'problems'>): Contender =>
  keepalived({
    ...setting,
    peer: 'keepalived BFD + route',
    template: 'keepalived-bfd.conf',
    problems: (site) => routeProblems(site, /^10\.1\.0\.\d dev lana .*metric 50/),
  });

const kRealtime = `vrrp_rt_priority ${kPriority}\n  bfd_rt_priority ${kPriority}`;

export const keepalivedContenders: Contender[] = [
  vrrp({
    name: 'vrrp-default',
    setting: '1 s (default)',
    values: { interval: 1, realtime: '' },
    timing: { intervalMs: 1000, holdMs: 4200, settleMs: 1200, cuts: 1 },
  }),
  vrrp({
    name: 'vrrp-10ms',
    setting: '10 ms (the lowest there is), SCHED_FIFO',
    values: { interval: 0.01, realtime: kRealtime },
    timing: { intervalMs: 10, holdMs: 150, settleMs: 200, cuts: 15, quickCuts: 4 },
  }),
  bfd({
    name: 'keepalived-bfd-default',
    setting: '10 ms x 5 (default)',
    values: { bfd: '', realtime: '' },
    timing: { intervalMs: 10, holdMs: 150, settleMs: 2300, cuts: 2 },
  }),
  bfd({
    name: 'keepalived-bfd-10ms',
    setting: '10 ms x 3, SCHED_FIFO',
    values: { bfd: 'min_rx 10\n  min_tx 10\n  multiplier 3', realtime: kRealtime },
    timing: { intervalMs: 10, holdMs: 150, settleMs: 2300, cuts: 2 },
  }),
];

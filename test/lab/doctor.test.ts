// Aim: `faild doctor` on a real host finds what is really amiss, with and without a daemon; the
// file that it writes mends what a sysctl can.
import './in-arena.js';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Diagnosis } from '../../lib/doctor/doctor.js';
import { kArenaDirectory } from './arena.js';
import { faild, faildUnder, place } from './daemon.js';
import { Lab } from './lab.js';
import { inside, nowUs, run } from './shell.js';
import type { Host } from './topology.js';

/** What the machine under the lab is like is not the lab's: its timers, its clock, its rights. */
const ofTheMachine = ['advice', 'capabilities', 'clock', 'buffers', 'network-managers'];

async function look(host: Host, ...more: string[]) {
  const { status, stdout, stderr } = await faild(host, 'doctor', '--json', ...place(host), ...more);
  if (!stdout) throw new Error(`faild doctor: ${stderr}`);
  const diagnosis = JSON.parse(stdout) as Diagnosis;
  const found = diagnosis.findings
    .filter(({ check }) => !ofTheMachine.includes(check))
    .map(({ check, severity, found: what }) => `${severity} ${check}: ${what}`);
  return { status, stderr, diagnosis, found };
}

const loose = (names: string) =>
  `arp_ignore is below 1 on ${names}; arp_announce is below 2 on ${names}`;

t.test('a host with faults; the file mends what a sysctl can', async (t) => {
  const lab = await Lab.open(t, { rpFilter: 1, start: [] });
  const host = lab.topology.host(1);
  await host.run('ip', 'link', 'set', 'lanb', 'mtu', '1400');
  const before = await look(host);
  t.equal(before.status, 1);
  t.match(before.diagnosis, { schema: 'faild.doctor/1', healthy: false, running: false });
  const mtu = "warning mtu: the LANs' MTUs differ: A 1500, B 1400";
  const small = [
    'advice rp-filter: rp_filter is strict on lana, lanb',
    `advice arp: ${loose('lana, lanb')}`,
  ];
  t.same(before.found, [mtu, ...small]);

  await lab.start(1, 2);
  await lab.allUp();
  await host.run('ip', 'rule', 'delete', 'priority', '931');
  await lab.daemon(1).saw('route-repaired');
  const file = join(kArenaDirectory, '60-faild.conf');
  const during = await look(host, '--fix-file', file);
  const deleted =
    "warning deleted-routes: somebody has deleted 1 of faild's routes and rules since its start";
  t.same(during.found, [mtu, deleted, ...small]);
  t.equal(during.stderr, `${file} written: apply it with sysctl --load ${file}\n`);

  // Of the lab's hosts: a plain user may not write those of the machine, such as the buffers.
  const settings = [...readFileSync(file, 'utf8').matchAll(/^(net\/ipv4\/\S+) = (\d+)$/gm)];
  for (const [, name, value] of settings) {
    await host.run('sh', '-c', `echo ${value} > /proc/sys/${name}`);
  }
  await host.run('ip', 'link', 'set', 'lanb', 'mtu', '1500');
  t.same((await look(host)).found, [deleted], 'what was mended is found no more');
  await lab.stopsClean(t);
});

t.test('without a LAN: a fault', async (t) => {
  const lab = await Lab.open(t, { start: [] });
  const host = lab.topology.host(1);
  await host.run('ip', 'link', 'set', 'lana', 'down');
  await host.run('ip', 'link', 'set', 'lanb', 'down');
  const { status, found } = await look(host);
  t.equal(status, 1);
  t.match(found, [/^fault lans: faild would not start: no LAN found/]);
});

t.test('LANs that a cable joins, and a container network on a subnet of theirs', async (t) => {
  const lab = await Lab.open(t);
  const host = lab.topology.host(1);
  const sinceUs = nowUs();
  const onSwitches = (...argv: string[]) => run(inside(lab.topology.switches, argv));
  await onSwitches('ip', 'link', 'add', 'cable1', 'type', 'veth', 'peer', 'name', 'cable2');
  await onSwitches('ip', 'link', 'set', 'cable1', 'master', 'swa', 'up');
  await onSwitches('ip', 'link', 'set', 'cable2', 'master', 'swb', 'up');
  await host.run('ip', 'link', 'add', 'docker0', 'type', 'bridge');
  await host.run('ip', 'address', 'add', '10.2.200.1/16', 'dev', 'docker0');
  await host.run('ip', 'link', 'set', 'docker0', 'up');
  await lab.until('both are seen', async () => {
    const { drops } = (await lab.daemon(1).status()).status;
    return ['cross-connected', 'own-packet'].filter((reason) => (drops[reason] ?? 0) === 0);
  });
  const { status, found } = await look(host);
  t.equal(status, 1);
  t.match(found, [
    /^fault cross-connected: \d+ heartbeats came by another LAN than they were sent on$/,
    /^fault cross-connected: \d+ heartbeats carried this host's own id$/,
    'warning subnets: docker0 (10.2.200.1/16) overlaps the subnet of LAN B',
    /^advice arp: /,
  ]);
  t.equal(found.length, 4, found.join());
  await onSwitches('ip', 'link', 'delete', 'cable1');
  t.same(await lab.said(['path-down', 'failover'], { sinceUs }), [], 'no path was judged by it');
  await lab.stopsClean(t);
});

t.test('what heartbeats do not show: rules in front, a lost route, an address taken', async (t) => {
  const lab = await Lab.open(t, { hosts: 3 });
  const host = lab.topology.host(1);
  const faults = async () =>
    (await look(host)).found.filter((found) => found.startsWith('fault ')).sort();
  t.same(await faults(), []);
  const rule =
    "fault rules: rule 100 sends all traffic to the main table before faild's rules (931 to 940)";
  await host.run('ip', 'rule', 'add', 'pref', '100', 'lookup', 'main');
  t.same(await faults(), [rule]);
  await lab.cuts.cut({ lan: 'a' });
  await lab.daemon(1).saw('lan-failover');
  t.match(await faults(), [rule, /^fault ways: .*: 10\.1\.0\.\d .* leaves by lana, not LAN B/]);
  await host.run('ip', 'rule', 'delete', 'pref', '100');
  await lab.cuts.heal({ lan: 'a' });
  await lab.goes('a', 'a');
  await lab.allUp();

  await host.run('ip', 'route', 'delete', '10.1.0.0/24', 'dev', 'lana');
  await lab.topology.host(3).run('ip', 'address', 'add', '10.2.0.2/24', 'dev', 'lanb');
  const wanted = [
    /^fault addresses: .*: 10\.2\.0\.2 on LAN B is that of host[23] and host[23]$/,
    /^fault ways: .*: 10\.1\.0\.\d .* has no way, not LAN A/,
  ];
  await lab.until('both are found', async () => {
    const found = await faults();
    return wanted.filter((one, at) => !one.test(found[at] ?? '')).map(String);
  });
  await lab.stopsClean(t);
});

t.test('rights that this process lacks, one by one', async (t) => {
  const lab = await Lab.open(t, { start: [] });
  const host = lab.topology.host(1);
  const lacking = async (taken: string) => {
    const wrapper = ['setpriv', `--bounding-set=-${taken}`, '--inh-caps=-all'];
    const asked = ['doctor', '--json', ...place(host)];
    const { stdout } = await faildUnder(taken === '' ? [] : wrapper, host, ...asked);
    const { findings } = JSON.parse(stdout) as Diagnosis;
    return findings
      .filter(({ check }) => check === 'capabilities')
      .map(({ severity, found }) => `${severity}: ${found.replace(/^.* lacks /, '')}`);
  };
  t.same(await lacking(''), []);
  t.same(await lacking('net_admin'), ['fault: CAP_NET_ADMIN']);
  t.same(await lacking('net_raw'), ['warning: CAP_NET_RAW']);
  t.same(await lacking('ipc_lock'), ['warning: CAP_IPC_LOCK']);
});

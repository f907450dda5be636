// Aim: `faild doctor` on a real host finds what is really amiss, with and without a daemon; the
// file that it writes mends what a sysctl can.
import './in-arena.js';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Diagnosis } from '../../lib/doctor/doctor.js';
import { kArenaDirectory } from './arena.js';
import { faild, place } from './daemon.js';
import { Lab } from './lab.js';
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

  const settings = [...readFileSync(file, 'utf8').matchAll(/^(net\S+) = (\d+)$/gm)];
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

// Aim: what others do to the kernel behind faild's back. Deleted rules and routes are put back and
// reported, healthy or failed over; neighbour entries are warm; interfaces lose their carrier, or
// go and come back as another device.
import './in-arena.js';
import t, { type Test } from 'tap';
import type { LogLine } from './daemon.js';
import { neighbours, sourceTo } from './kernel.js';
import { Lab, onlyOf } from './lab.js';
import { nowUs } from './shell.js';
import { interfaceOf } from './topology.js';

/** faild's entries of host1, once all peers are in the standby tables of both LANs. */
async function settled(lab: Lab, routesWanted: number): Promise<string[]> {
  const inTables = (entry: string) => entry.includes('"table":"9311');
  await lab.until('standby tables are full', async () => {
    const found = (await lab.entries(1)).filter(inTables);
    return found.length >= routesWanted ? [] : [`${found.length} entries`];
  });
  return lab.entries(1);
}

async function repairs(t: Test, lab: Lab, before: string[], ...commands: string[]): Promise<void> {
  for (const command of commands) {
    const sinceUs = nowUs();
    await lab.topology.host(1).run('ip', ...command.split(' '));
    t.ok(await lab.daemon(1).saw('route-repaired', undefined, { sinceUs }), `ip ${command}`);
    await lab.until('all is as before', async () => {
      const now = await lab.entries(1);
      return [
        ...before.filter((entry) => !now.includes(entry)).map((entry) => `missing ${entry}`),
        ...now.filter((entry) => !before.includes(entry)).map((entry) => `unasked ${entry}`),
      ];
    });
  }
}

// Neighbour entries age in their state; routes and rules do not.
const tables = (entries: string[]) => entries.filter((entry) => !entry.includes('"lladdr"'));

t.test('deleted while healthy: put back', async (t) => {
  const lab = await Lab.open(t, { hosts: 3 });
  lab.entries = async (host) => tables(await Lab.prototype.entries.call(lab, host));
  const before = await settled(lab, 10); // 2 peers, 2 LANs, 2 families; 2 rules
  await repairs(
    t,
    lab,
    before,
    'rule delete priority 931',
    '-6 rule delete priority 931',
    'route flush table 931101',
    '-6 route flush table 931102',
  );
  t.same(await lab.strays('a', 'a'), []);
  await lab.stopsClean(t);
});

t.test('deleted while a whole LAN is failed over: put back', async (t) => {
  const lab = await Lab.open(t, { hosts: 3 });
  const stream = await lab.stream(1, 2, 'a');
  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', 'b');
  lab.entries = async (host) => tables(await Lab.prototype.entries.call(lab, host));
  const before = await settled(lab, 8);
  await repairs(
    t,
    lab,
    before,
    'rule delete priority 932',
    '-6 rule delete priority 932',
    'route flush table 931101',
    '-6 route flush table 931101',
  );
  t.same(await lab.strays('a', 'b'), []);
  await lab.flows(stream);
  await lab.cuts.heal({ lan: 'a' });
  await lab.goes('a', 'a');
  await lab.stopsClean(t);
});

t.test('an exception deleted: put back', async (t) => {
  const lab = await Lab.open(t, { hosts: 4 });
  await lab.cuts.cut({ lan: 'a', host: 2 });
  await lab.goes('a', onlyOf(2, 'a', 'b'));
  for (const family of ['-4', '-6']) {
    const sinceUs = nowUs();
    await lab.topology.host(1).run('ip', family, 'route', 'flush', 'table', '931100');
    await lab.daemon(1).saw('route-repaired', undefined, { sinceUs });
    await lab.goes('a', onlyOf(2, 'a', 'b'));
  }
  await lab.cuts.heal({ lan: 'a', host: 2 });
  await lab.goes('a', 'a');
  await lab.stopsClean(t);
});

t.test('a change that the kernel refuses: told in its words, and tried again', async (t) => {
  const lab = await Lab.open(t);
  const host = lab.topology.host(1);
  const before = tables(await settled(lab, 6)); // 1 peer, 2 LANs, 2 families; 2 rules
  const local = ['local', '10.1.0.1', 'dev', 'lana', 'table', 'local'];
  await host.run('ip', 'route', 'delete', ...local);
  await host.run('ip', 'route', 'flush', 'table', '931101');
  await lab.daemon(1).saw('route-failed');
  const words = /^the kernel says of 10\.1\.0\.2\/32 in table 931101: \w/;
  await lab.daemon(1).log.waitFor(({ msg = '' }) => words.test(msg), "the kernel's words", 5000);
  await host.run('ip', 'route', 'add', ...local, 'proto', 'kernel', 'scope', 'host');
  await lab.until('all is as before', async () => {
    const now = tables(await lab.entries(1));
    return before.filter((entry) => !now.includes(entry)).map((entry) => `missing ${entry}`);
  });
  await lab.stopsClean(t);
});

t.test('neighbour entries of every possible gateway are kept warm', async (t) => {
  const lab = await Lab.open(t, { hosts: 3 });
  const host = lab.topology.host(1);
  const wanted = lab.topology.hosts
    .filter((other) => other !== host)
    .flatMap((peer) => peer.lans.flatMap((lan) => [peer.address(lan, 4), peer.address(lan, 6)]));
  await lab.until('an entry for each address', async () => {
    const found = (await neighbours(host)).map(({ dst }) => dst);
    return wanted.filter((address) => !found.includes(address));
  });
  for (const entry of await neighbours(host)) {
    t.ok('extern_learn' in entry, `${entry.dst} is told by faild`);
    t.match(entry.lladdr, /^[0-9a-f:]{17}$/);
  }
  await lab.stopsClean(t);
});

t.test('a lost carrier is a fast hint', async (t) => {
  const lab = await Lab.open(t, { daemon: { interval: 0.2 } });
  const sinceUs = nowUs();
  await lab.topology.carrier(2, 'a', false);
  const isMove = ({ kind = '' }: LogLine) => /^(lan-)?failover$/.test(kind);
  const { reason, detectUs = 0 } = await lab
    .daemon(2)
    .log.waitFor(isMove, 'its move', 10_000, sinceUs);
  t.equal(reason, 'carrier');
  // Since the last packet: by the daemon's own clock, as nobody else's tells when the carrier went.
  t.ok(detectUs < 400_000, `${detectUs} us: well below the 600 ms of three missed packets`);
  await lab.goes('a', 'b');
  await lab.topology.carrier(2, 'a', true);
  await lab.goes('a', 'a', 20_000);
  await lab.stopsClean(t);
});

/** Waits until one host reaches peers' addresses on LAN A by LAN B, from an address that it has. */
async function comesFromB(lab: Lab, from: number, ...to: number[]): Promise<void> {
  const here = lab.topology.host(from);
  await lab.until('LAN A is reached from LAN B', async () => {
    const looked = to.flatMap((host) =>
      ([4, 6] as const).map(async (family) => {
        const address = lab.topology.host(host).address('a', family);
        const seen = await sourceTo(here, address).catch((error: Error) => error.message);
        return seen === here.address('b', family) ? [] : [`${address} from ${seen}`];
      }),
    );
    return (await Promise.all(looked)).flat();
  });
}

t.test(
  "an interface that loses its addresses: its LAN's peers are reached all the same",
  async (t) => {
    const lab = await Lab.open(t, { hosts: 3 });
    const host = lab.topology.host(2);
    await host.run('ip', 'address', 'flush', 'dev', 'lana');
    await comesFromB(lab, 2, 1, 3);
    t.pass('by LAN B, from an address of LAN B');
    await host.run('ip', 'address', 'add', `${host.address('a')}/24`, 'brd', '+', 'dev', 'lana');
    await host.run('ip', 'address', 'add', `${host.address('a', 6)}/64`, 'dev', 'lana', 'nodad');
    await lab.goes('a', 'a');
    await lab.stopsClean(t);
  },
);

t.test('an interface that goes and comes back with its old number, unseen', async (t) => {
  const lab = await Lab.open(t);
  const daemon = lab.daemon(2);
  daemon.signal('SIGSTOP');
  await lab.topology.unplug(2, 'a');
  await lab.topology.plug(2, 'a', 0);
  daemon.signal('SIGCONT');
  await lab.daemon(1).saw('path-down', ({ path }) => path?.lan.name === 'A');
  await lab.allUp();
  t.pass('it is listened to again');
  await lab.goes('a', 'a');
  await lab.stopsClean(t);
});

t.test('an interface that goes and comes back as another device', async (t) => {
  const lab = await Lab.open(t, { hosts: 3 });
  const stream = await lab.stream(1, 3, 'a');
  const sinceUs = nowUs();
  await lab.topology.unplug(2, 'a');
  await lab.daemon(1).saw('failover', ({ path }) => path?.peer.name === 'host2', { sinceUs });
  await comesFromB(lab, 2, 1, 3);
  t.same(await lab.said(['route-repaired', 'route-failed'], { sinceUs }), [], 'nobody has meddled');
  await lab.topology.plug(2, 'a');
  await lab.goes('a', 'a');
  await lab.allUp();
  t.equal((await stream.report(sinceUs)).lost, 0, 'the others lose nothing');
  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', 'b');
  t.pass(`LAN A on the new ${interfaceOf('a')} is watched, and fails over, as before`);
  await lab.cuts.heal({ lan: 'a' });
  await lab.goes('a', 'a');
  await lab.stopsClean(t);
});

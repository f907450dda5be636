// Aim: daemons that come and go during an outage. A crash and a new start change no route; a clean
// stop leaves a failover in force and says so; a late start learns what it cannot hear.
import './in-arena.js';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { kArenaDirectory } from './arena.js';
import { faild, type LogLine, place } from './daemon.js';
import { Lab } from './lab.js';
import { nowUs, run } from './shell.js';

async function restartsUnnoticed(t: Test, lab: Lab, table: number): Promise<void> {
  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', 'b');
  const streams = [await lab.stream(1, 2, 'a'), await lab.stream(2, 1, 'a', 6)];
  for (const stream of streams) await lab.flows(stream);
  const sinceUs = nowUs();
  await lab.watch();
  await lab.daemon(1).kill();
  for (const stream of streams) await lab.flows(stream);
  await lab.start(1);
  t.ok(await lab.daemon(1).saw('adopted'), 'it says that it found routes in force');
  await lab.daemon(1).saw('path-up', ({ path }) => path?.lan.name === 'B');
  for (const stream of streams) await lab.flows(stream, 500);
  t.same(await lab.moves(table), [], 'no rule and no route has changed');
  await remembers(t, lab);
  for (const stream of streams)
    t.equal((await stream.report(sinceUs)).lost, 0, 'the stream has no gap');
  await lab.cuts.heal({ lan: 'a' });
  await lab.goes('a', 'a');
  await lab.allUp();
  await lab.stopsClean(t);
}

/** What happened before the crash, and what since. */
async function remembers(t: Test, lab: Lab): Promise<void> {
  const host = lab.topology.host(1);
  const { stdout } = await faild(host, 'events', '--since', '1h', '--json', ...place(host));
  const { events, complete } = JSON.parse(stdout) as { events: LogLine[]; complete: boolean };
  const kinds = events.map(({ kind = '' }) => kind.replace('lan-', ''));
  t.ok(kinds.indexOf('failover') >= 0, 'the history tells of the failover');
  t.ok(kinds.indexOf('failover') < kinds.lastIndexOf('adopted'), 'and of what came after');
  t.equal(complete, true);
}

t.test('killed while a pair is failed over, started again: no flap, no leftover', async (t) => {
  await restartsUnnoticed(t, await Lab.open(t), 931100);
});

t.test('the same with a whole LAN, and a strict rp_filter', async (t) => {
  await restartsUnnoticed(t, await Lab.open(t, { hosts: 3, rpFilter: 1 }), 931101);
});

t.test('healed while the daemon is dead: the new start brings traffic back', async (t) => {
  const lab = await Lab.open(t, { hosts: 3 });
  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', 'b');
  await lab.daemon(1).kill();
  await lab.cuts.heal({ lan: 'a' });
  await lab.goes('a', (from, to) => (from === 1 || to === 1 ? 'b' : 'a'));
  await lab.start(1);
  await lab.goes('a', 'a');
  await lab.stopsClean(t);
});

t.test('a clean stop while failed over keeps the failover and says so', async (t) => {
  const lab = await Lab.open(t, { hosts: 3 });
  const stream = await lab.stream(1, 2, 'a');
  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', 'b');
  await lab.flows(stream);
  const sinceUs = nowUs();
  t.equal(await lab.daemon(1).stop(), 0);
  const [loud] = lab.daemon(1).log.all.filter(({ msg }) => msg?.includes('failovers in force'));
  t.match(loud?.msg, /faild cleanup/, 'the log says what stays and how to remove it');
  await lab.flows(stream, 200);
  t.same(await lab.strays('a', 'b'), [], 'traffic stays where it works, at both ends');
  t.equal((await stream.report(sinceUs)).lost, 0);

  const host = lab.topology.host(1);
  const { status, stdout } = await faild(host, 'cleanup', ...place(host));
  t.equal(status, 0);
  t.match(stdout, /^removed \d+ entries\n$/);
  t.same(await lab.entries(1), [], 'faild cleanup removes everything');
  await lab.goes('a', (from) => (from === 1 ? 'a' : 'b'));
  const again = JSON.parse((await faild(host, 'cleanup', '--json', ...place(host))).stdout);
  t.same(again, { schema: 'faild.cleanup/1', removed: 0 }, 'and finds nothing the second time');
});

t.test('a failover left by a clean stop is taken over by the next start', async (t) => {
  const lab = await Lab.open(t);
  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', 'b');
  await lab.daemon(1).stop();
  await lab.watch();
  await lab.start(1);
  await lab.daemon(1).saw('path-up', ({ path }) => path?.lan.name === 'B');
  t.same(await lab.strays('a', 'b'), []);
  t.same(await lab.moves(931100), []);
  await lab.cuts.heal({ lan: 'a' });
  await lab.goes('a', 'a');
  await lab.stopsClean(t);
});

t.test('its state directory has become read-only: it starts as the host that it was', async (t) => {
  const state = join(kArenaDirectory, 'fragile');
  mkdirSync(state);
  await run(['mount', '-t', 'tmpfs', 'lab', state]);
  const lab = await Lab.open(t, { special: { 1: { more: ['--state-dir', state] } } });
  const hostId = async () => (await lab.daemon(2).status()).status.peers[0]?.id;
  const before = await hostId();
  await lab.daemon(1).stop();
  await run(['mount', '-o', 'remount,ro', state]);
  await lab.start(1);
  await lab.allUp();
  t.equal(await hostId(), before);
  const warned = ({ msg = '' }: LogLine) => /incarnation: EROFS.*restart counts/.test(msg);
  t.ok(await lab.daemon(1).log.waitFor(warned, 'the warning', 5000), 'it says what is amiss');
  await lab.stopsClean(t);
});

t.test('faild cleanup while a daemon runs: refused, with the reason', async (t) => {
  const lab = await Lab.open(t);
  const host = lab.topology.host(1);
  const { status, stderr } = await faild(host, 'cleanup', ...place(host));
  t.equal(status, 1);
  t.match(stderr, /^faild: a daemon runs on .*\n$/);
});

for (const hosts of [2, 3]) {
  t.test(`one of ${hosts} hosts starts while LAN A is dead: reached and reaching`, async (t) => {
    const start = hosts === 2 ? [1] : [1, 2];
    const lab = await Lab.open(t, { hosts, start });
    await lab.cuts.cut({ lan: 'a' });
    if (hosts === 3) await lab.goes('a', (from, to) => (from + to === 3 ? 'b' : 'a'));
    await lab.start(hosts);
    await lab.goes('a', 'b', 3000);
    const streams = [await lab.stream(hosts, 1, 'a'), await lab.stream(1, hosts, 'a', 6)];
    for (const stream of streams) await lab.flows(stream);
    t.pass('both by the addresses of LAN A, which the new host has never heard on');
    await lab.cuts.heal({ lan: 'a' });
    await lab.goes('a', 'a');
    await lab.stopsClean(t);
  });
}

// Aim: faild under a service manager, by the manager's own socket. It says what it does; the
// watchdog is fed while the engine's thread goes round and by nothing else; JavaScript that hangs
// feeds nobody and stops no failover. Whoever asks while the engine hangs is told so.
import './in-arena.js';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { fetchText } from '../../lib/control/client.js';
import { kArenaDirectory } from './arena.js';
import { faild, type LogLine, place } from './daemon.js';
import { freeze } from './freezer.js';
import { Lab } from './lab.js';
import { Manager } from './manager.js';
import { inside, nowUs, outcome } from './shell.js';

/** The manager's time-out: short, so that the test is quick; a busy machine still holds it. */
const watchdogUs = 4e6;

const file = join(kArenaDirectory, 'service.yaml');

/** Three looks. */
const kLongMs = 1500;

let managers = 0;

/** What whoever asks host1 is told of its engine's thread. */
async function isTold(t: Test, lab: Lab, alive: boolean): Promise<void> {
  const host = lab.topology.host(1);
  const hung = 4;
  const { exit, status } = await lab.daemon(1).status();
  t.match(status, { engine: { alive } });
  t.equal(exit === hung, !alive, `exit status ${exit}`);
  const [socket = ''] = place(host).slice(-1);
  const [gauge] = (await fetchText(socket, '/metrics')).match(/^faild_engine_alive .*$/m) ?? [];
  t.equal(gauge, `faild_engine_alive ${Number(alive)}`);
  if (alive) return;
  t.ok(status.ageUs > 1e6, `what it said last is ${status.ageUs} us old`);
  const paths = await faild(host, 'paths', ...place(host));
  t.match(paths, { status: hung, stdout: /^host2 {2}A {2}10\.1\.0\.2 {2}/m });
}

async function openLab(t: Test): Promise<{ lab: Lab; manager: Manager }> {
  writeFileSync(file, 'hold-time: 0s\n');
  const socket = join(kArenaDirectory, `manager-${++managers}`);
  const manager = await Manager.open(socket);
  t.teardown(() => manager.close());
  const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: String(watchdogUs) };
  const more = ['--config', file];
  return { manager, lab: await Lab.open(t, { special: { 1: { env, more } } }) };
}

t.test('it is ready, reloads, tells its state and stops, and says so', async (t) => {
  const { lab, manager } = await openLab(t);
  await manager.isRead();
  const first = manager.heard.all.filter(({ text }) => !/^(WATCHDOG|STATUS|KNOCK)/.test(text));
  t.same(
    first.map(({ text }) => text),
    ['listening', 'READY=1'],
  );
  await manager.hears('STATUS=LAN A up, LAN B up; 1 peer, no path down');

  const askedUs = nowUs();
  await faild(lab.topology.host(1), 'reload', ...place(lab.topology.host(1)));
  const { text, readUs } = await manager.hears(/^RELOADING=1 MONOTONIC_USEC=\d+$/, askedUs);
  const saidUs = Number(text.split('=').at(-1));
  t.ok(saidUs > askedUs && saidUs < readUs, 'by the clock that the manager knows');
  await manager.hears('READY=1', readUs);

  const badUs = nowUs();
  writeFileSync(file, 'hold-tim: 0s\n');
  lab.daemon(1).signal('SIGHUP');
  const began = await manager.hears(/^RELOADING=1/, badUs);
  await manager.hears('READY=1', began.readUs);
  t.pass('after a bad file it is as ready as before');

  await lab.cuts.cut({ lan: 'a' });
  await manager.hears('STATUS=LAN A down, LAN B up; 1 peer, 1 of 2 paths down');
  await lab.daemon(1).stop();
  await manager.hears('STOPPING=1');
});

t.test('the watchdog: fed while the engine goes round, and by nothing else', async (t) => {
  const { lab, manager } = await openLab(t);
  await manager.hears('WATCHDOG=1');
  await manager.hears('WATCHDOG=1', nowUs());
  await isTold(t, lab, true);

  const thaw = await freeze(lab.daemon(1), 'faild-engine');
  const frozenUs = await manager.isRead();
  await manager.hears('WATCHDOG=trigger', frozenUs);
  // The next look may still have seen a round made before: then no more.
  const fed = manager.heard.between(frozenUs).filter(({ text }) => text === 'WATCHDOG=1');
  t.ok(fed.length <= 1, `fed ${fed.length} times with a frozen engine`);
  // The log comes by another way than the manager's word, and may be read after it.
  const hangs = ({ msg = '' }: LogLine) => /^the engine's thread hangs/.test(msg);
  const said = await lab.daemon(1).log.waitFor(hangs, 'that it hangs', 10_000, frozenUs);
  t.equal(said.level, 'error');
  await isTold(t, lab, false);

  await thaw();
  await manager.hears('WATCHDOG=1', nowUs());
  const again = ({ msg }: LogLine) => msg === "the engine's thread goes round again";
  await lab.daemon(1).log.waitFor(again, 'its recovery', 10_000, frozenUs);
});

t.test(
  'told to stop while the engine hangs: it ends, says so, and leaves the routes',
  async (t) => {
    const { lab, manager } = await openLab(t);
    const { netns } = lab.topology.host(1);
    const show = ['ip', 'route', 'show', 'table', 'all', 'proto', '213'];
    const routes = async () => (await outcome(inside(netns, show))).stdout;
    await lab.cuts.cut({ lan: 'a' });
    await lab.goes('a', 'b');
    await freeze(lab.daemon(1), 'faild-engine');
    const before = await routes();
    const askedUs = nowUs();
    t.equal(await lab.daemon(1).stop(), 4, 'exit status');
    t.ok(nowUs() - askedUs < 9e6, 'before the manager would kill it');
    await manager.hears('STOPPING=1', askedUs);
    t.match(lab.daemon(1).log.all.at(-1), {
      level: 'error',
      msg: /^not stopped cleanly: .* hangs/,
    });
    t.match(before, /10\.1\.0\.2/);
    t.equal(await routes(), before, 'nothing was removed');
  },
);

t.test('JavaScript hangs: nobody feeds, traffic fails over all the same', async (t) => {
  const { lab, manager } = await openLab(t);
  const thaw = await freeze(lab.daemon(1), 'javascript');
  const frozenUs = await manager.isRead();
  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', 'b');
  await lab.cuts.heal({ lan: 'a' });
  await lab.goes('a', 'a');
  await pause(kLongMs);
  await manager.isRead();
  const words = manager.heard
    .between(frozenUs)
    .map(({ text }) => text.replace(/^KNOCK=.*/, 'knock'));
  t.same(words, ['knock', 'knock'], 'not a word of its own while it hangs');
  await thaw();
  await manager.hears('WATCHDOG=1', nowUs());
  await lab.daemon(1).saw('failover', undefined, { sinceUs: frozenUs });
  t.pass('and afterwards it tells what has happened');
});

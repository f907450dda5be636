// Aim: what must move nothing. A host that falls silent everywhere, a planned stop, a restart, a
// crash, a daemon that did not get to run: every kernel's route monitor stays empty. The detection
// time, 100 ms, is above the stalls that a shared machine has (37 ms, seen).
import './in-arena.js';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { faild, place } from './daemon.js';
import { Lab } from './lab.js';
import { nowUs } from './shell.js';

const kDaemon = { interval: 0.02, failAfter: 5 };
/** Five detection times: long enough for every verdict that might still come. */
const kLongMs = 500;

async function stays(t: Test, lab: Lab): Promise<void> {
  await pause(kLongMs);
  t.same(await lab.moves(), [], 'no kernel has moved any traffic');
  t.same(await lab.strays('a', 'a'), []);
  t.same(await lab.strays('b', 'b'), []);
}

async function watched(t: Test, hosts: number): Promise<Lab> {
  const lab = await Lab.open(t, { hosts, daemon: kDaemon });
  await lab.watch();
  return lab;
}

for (const hosts of [2, 3]) {
  t.test(`${hosts} hosts: one is cut from every LAN: nothing moves, and it says so`, async (t) => {
    const lab = await watched(t, hosts);
    const cuts = [{ lan: 'a', host: 2 } as const, { lan: 'b', host: 2 } as const];
    await lab.cuts.cut(...cuts);
    t.ok(await lab.daemon(2).saw('isolated'), 'the host knows that the fault is probably its own');
    await lab.daemon(1).saw('path-down');
    await stays(t, lab);
    const there = lab.topology.host(2);
    const asked = await faild(there, 'peers', ...place(there));
    t.match(asked, { status: 1, stdout: /^host1 {2}down {2}0 of 2 paths up/m });
    const sinceUs = await lab.cuts.heal(...cuts);
    await lab.daemon(2).saw('rejoined', undefined, { sinceUs });
    await lab.allUp();
    await stays(t, lab);
    await lab.stopsClean(t);
  });

  t.test(`${hosts} hosts: a planned stop and a new start`, async (t) => {
    const lab = await watched(t, hosts);
    t.equal(await lab.daemon(2).stop(), 0);
    await lab.daemon(1).saw('path-stopped');
    await stays(t, lab);
    t.same(await lab.said(['path-down'], { host: 1 }), [], 'a goodbye is no fault');
    await lab.start(2);
    await lab.allUp();
    await stays(t, lab);
    await lab.stopsClean(t);
  });

  t.test(`${hosts} hosts: a quick restart, and a crash that is noticed`, async (t) => {
    const lab = await watched(t, hosts);
    await lab.daemon(2).stop();
    await lab.start(2);
    await lab.allUp();
    await stays(t, lab);
    await lab.daemon(2).kill();
    await lab.daemon(1).saw('path-down', ({ path }) => path?.lan.name === 'B');
    await stays(t, lab);
    await lab.start(2);
    await lab.allUp();
    await stays(t, lab);
    await lab.stopsClean(t);
  });

  t.test(`${hosts} hosts: a daemon that is stopped for 2 s blames nobody`, async (t) => {
    const lab = await watched(t, hosts);
    const sinceUs = nowUs();
    lab.daemon(2).signal('SIGSTOP');
    await lab.daemon(1).saw('path-down', ({ path }) => path?.lan.name === 'B', { sinceUs });
    await pause(2000);
    lab.daemon(2).signal('SIGCONT');
    await lab.daemon(2).saw('stalled', undefined, { sinceUs });
    await lab.allUp();
    await stays(t, lab);
    const verdicts = await lab.said(['path-down', 'lan-down'], { sinceUs, host: 2 });
    const wrong = verdicts.filter(({ reason }) => reason !== 'not-heard');
    t.same(wrong, [], 'it gives no verdict about its own absence');
    await lab.stopsClean(t);
  });
}

// Aim: who drains his host may take it away as he likes: the others lose nothing, move nothing and
// blame nobody; and while it is there, it fails over like any host.
import './in-arena.js';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Faild } from '../../lib/index.js';
import { kArenaDirectory } from './arena.js';
import { faild, place } from './daemon.js';
import { Lab, onlyOf } from './lab.js';
import { netnsPath, nowUs } from './shell.js';

/** 200 ms to a verdict: a busy machine's stalls shall move nothing here. */
const daemon = { interval: 0.05, failAfter: 4, restoreAfter: 3 };
const blame = ['path-down', 'lan-down', 'failover', 'lan-failover', 'isolated'];

/** `faild drain --host` or `undrain --host` on host3: every peer has acknowledged it. */
async function say(t: Test, lab: Lab, action: 'drain' | 'undrain'): Promise<void> {
  const host = lab.topology.host(3);
  const { status, stdout } = await faild(host, action, '--host', '--json', ...place(host));
  t.match([status, JSON.parse(stdout)], [0, { action: `${action}-host`, peers: 2, untold: [] }]);
}

/** What the others say of host3, and whether all is well there. */
async function judged(lab: Lab): Promise<unknown[]> {
  return await Promise.all(
    [1, 2].map(async (host) => {
      const { exit, status } = await lab.daemon(host).status();
      const peer = status.peers.find(({ name }) => name === 'host3');
      return [
        exit,
        peer?.drained,
        ...(peer?.paths.map(({ state, reason }) => [state, reason]) ?? []),
      ];
    }),
  );
}

const away = [0, true, ['stopped', 'drained'], ['stopped', 'drained']];

/** Both others have noticed that host3 is gone on both LANs. */
async function goes(lab: Lab, sinceUs: number): Promise<void> {
  for (const host of [1, 2]) {
    for (const lan of ['A', 'B']) {
      await lab.daemon(host).saw('path-stopped', ({ path }) => path?.lan.name === lan, { sinceUs });
    }
  }
}

t.test('drained, stopped, cut off, killed, back: the others notice no fault', async (t) => {
  const lab = await Lab.open(t, { hosts: 3, daemon });
  const others = [await lab.stream(1, 2, 'a', 4), await lab.stream(2, 1, 'a', 6)];
  const toIt = await lab.stream(1, 3, 'a', 4);
  await Promise.all([...others, toIt].map((stream) => lab.flows(stream)));
  const sinceUs = nowUs();
  await say(t, lab, 'drain');
  t.match((await lab.daemon(3).status()).status, { host: { drained: true } });
  t.match(
    await judged(lab),
    [0, 1].map(() => [0, true, ['up'], ['up']]),
  );
  await lab.flows(toIt);
  t.equal((await toIt.report(sinceUs)).lost, 0, 'at drain');

  let goneUs = nowUs();
  t.equal(await lab.daemon(3).stop(), 0);
  await goes(lab, goneUs);
  await lab.start(3);
  await lab.allUp();
  const still = ({ msg }: { msg?: string }) => /this host is drained still/.test(msg ?? '');
  t.ok(await lab.daemon(3).log.waitFor(still, 'the warning at the start', 10_000));

  const cables = [{ lan: 'a', host: 3 } as const, { lan: 'b', host: 3 } as const];
  goneUs = await lab.cuts.cut(...cables);
  await goes(lab, goneUs);
  t.same(await judged(lab), [away, away], 'without a goodbye');
  await lab.cuts.heal(...cables);
  await lab.allUp();

  goneUs = nowUs();
  await lab.daemon(3).kill();
  await goes(lab, goneUs);
  t.same(await judged(lab), [away, away], 'killed');
  await lab.start(3);
  await lab.allUp();
  await say(t, lab, 'undrain');
  t.match(
    await judged(lab),
    [0, 1].map(() => [0, false, ['up'], ['up']]),
  );
  for (const host of [1, 2])
    t.same(await lab.said(blame, { sinceUs, host }), [], 'no fault was seen');
  for (const stream of others)
    t.equal((await stream.report(sinceUs)).lost, 0, 'between the others');
  await lab.stopsClean(t);
});

t.test('drained, it loses a LAN and is gone: traffic moves once, and stays there', async (t) => {
  const lab = await Lab.open(t, { hosts: 3, daemon });
  const between = await lab.stream(1, 2, 'a', 4);
  await lab.flows(between);
  const sinceUs = nowUs();
  await say(t, lab, 'drain');
  await lab.cuts.cut({ lan: 'a', host: 3 });
  await lab.goes('a', onlyOf(3, 'a', 'b'));
  const goneUs = nowUs();
  await lab.daemon(3).kill();
  await goes(lab, goneUs);
  t.same(await lab.strays('a', onlyOf(3, 'a', 'b')), [], 'as it was');
  t.same(await judged(lab), [away, away]);
  await lab.start(3);
  await lab.cuts.heal({ lan: 'a', host: 3 });
  await lab.allUp();
  await lab.goes('a', 'a');
  const { lost } = await between.report(sinceUs);
  t.equal(lost, 0, 'between the others');
});

/** Of every 25 ms of this program's thread, 20 are taken. */
function beBusy(t: Test): void {
  const timer = setInterval(() => {
    for (const endUs = nowUs() + 20_000; nowUs() < endUs; );
  }, 5);
  t.teardown(() => clearInterval(timer));
}

t.test('a peer that cannot be told is named in time, by a busy program as well', async (t) => {
  const patient = { interval: 0.05, failAfter: 1000 }; // it is up for as long as this takes
  const lab = await Lab.open(t, { start: [2], daemon: patient });
  const running = await Faild.start({
    ...patient,
    requestor: true,
    networkNamespace: netnsPath(lab.topology.host(1).netns),
    stateDir: join(kArenaDirectory, 'embedder'),
  });
  t.teardown(() => running.stop());
  await lab.until('every path is up', async () => {
    const { peers } = await running.status();
    const states = peers.flatMap(({ paths }) => paths.map(({ state }) => state));
    return states.length === 2 ? states.filter((state) => state !== 'up') : ['no peer'];
  });
  await lab.cuts.cut({ lan: 'a' }, { lan: 'b' });
  beBusy(t);
  const beganUs = nowUs();
  t.match(await running.drainHost(), { peers: 1, untold: [{ name: 'host2' }] });
  const tookUs = nowUs() - beganUs;
  t.ok(tookUs < 5e6, `${tookUs} us: two seconds, and not as many looks as are made in them`);
});

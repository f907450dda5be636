// Aim: who drains a LAN frees it of traffic in both directions before anything stops, and nothing
// is lost on the way there or back; what nothing else can carry stays. Moves by hand lose nothing
// either.
import './in-arena.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { kArenaDirectory } from './arena.js';
import { faild, place } from './daemon.js';
import { Lab, onlyOf } from './lab.js';
import { nowUs } from './shell.js';

/** 300 ms to a verdict: a busy machine's stalls shall move nothing here. */
const daemon = { interval: 0.1, restoreAfter: 3 };

interface Move {
  exit: number;
  answer: { users: { peer: { name: string }; lan: string }[]; away: number; drained: string[] };
}

/** On host1, as its operator. */
async function say(lab: Lab, ...argv: string[]): Promise<Move> {
  const host = lab.topology.host(1);
  const { status, stdout, stderr } = await faild(host, ...argv, '--json', ...place(host));
  if (!stdout.startsWith('{')) throw new Error(`faild ${argv.join(' ')}: ${stdout}${stderr}`);
  return { exit: status, answer: JSON.parse(stdout) };
}

/** Datagrams both ways between host1 and host2, and what of them is lost from now on. */
async function traffic(lab: Lab) {
  const streams = [await lab.stream(1, 2, 'a', 4), await lab.stream(2, 1, 'a', 6)];
  const flow = () => Promise.all(streams.map((stream) => lab.flows(stream)));
  await flow();
  const sinceUs = nowUs();
  const losses = () =>
    Promise.all(streams.map(async (stream) => (await stream.report(sinceUs)).lost));
  return { flow, losses };
}

/** Verdicts of host1: with nothing cut, each one would be wrong. */
async function blamed(lab: Lab, sinceUs: number): Promise<unknown[]> {
  const verdicts = await lab.said(['path-down', 'lan-down'], { sinceUs, host: 1 });
  return verdicts.map(({ msg }) => msg);
}

/** As host1 judges; its peers were told to leave LAN A, and hold their paths there for down. */
function everyPathOnA(lab: Lab, wanted: string): Promise<void> {
  return lab.until(`host1's paths on LAN A are ${wanted}`, async () => {
    const { status } = await lab.daemon(1).status();
    const paths = status.peers.flatMap(({ paths }) => paths.filter(({ lan }) => lan === 'A'));
    return paths.map(({ state }) => state).filter((state) => state !== wanted);
  });
}

/** What the kernel of host1 does with LAN A's traffic, when it should take `by`. */
async function straysOfHost1(lab: Lab, by: 'a' | 'b'): Promise<string[]> {
  const strays = await lab.strays('a', (from) => (from === 1 ? by : 'a'));
  return strays.filter((line) => line.startsWith('host1 '));
}

t.test('by hand, drained, switched off, back again: nothing is lost', async (t) => {
  const lab = await Lab.open(t, { hosts: 3, daemon });
  const { flow, losses } = await traffic(lab);
  const sinceUs = nowUs();

  const one = (by: 'a' | 'b') => (from: number, to: number) => (from === 1 && to === 2 ? by : 'a');
  t.match(await say(lab, 'failover', 'A', 'host2'), { exit: 0, answer: { away: 1 } });
  t.same(await lab.strays('a', one('b')), [], 'one peer, one way, and the answer comes after it');
  await flow();
  t.equal((await say(lab, 'switchback', 'A', 'host2')).exit, 0);
  await lab.goes('a', 'a');
  t.same(await losses(), [0, 0], 'by hand');

  const drained = await say(lab, 'drain', 'A');
  t.match(drained, { exit: 0, answer: { users: [], away: 2, drained: ['A'] } });
  t.same(await straysOfHost1(lab, 'b'), [], 'the answer comes after the kernel');
  await lab.goes('a', onlyOf(1, 'a', 'b'));
  await flow();
  t.same(await losses(), [0, 0], 'at drain');
  t.same(await blamed(lab, sinceUs), [], 'host1 has judged nobody');
  const moved = await lab.said(['failover'], { sinceUs, host: 1 });
  t.same([...new Set(moved.map(({ reason }) => reason))], ['operator']);
  const { log } = lab.daemon(1);
  await log.waitFor(({ action }) => action === 'drain', 'the log of the drain', 10_000);
  const said = log.between(sinceUs).filter(({ msg }) => msg?.startsWith('on command'));
  t.same(
    said.map(({ action, lan }) => [action, lan]),
    [
      ['failover', 'A'],
      ['switchback', 'A'],
      ['drain', 'A'],
    ],
    'what the operator did is in the log',
  );

  await lab.daemon(1).stop();
  await lab.start(1);
  await everyPathOnA(lab, 'up');
  await flow();
  t.match((await lab.daemon(1).status()).status, { plan: { drained: ['A'] } }, 'over a restart');
  t.same(await straysOfHost1(lab, 'b'), [], 'it is drained after it');
  await lab.goes('a', onlyOf(1, 'a', 'b'));
  t.same(await losses(), [0, 0], 'at the restart');

  await lab.cuts.cut({ lan: 'a', host: 1 });
  await everyPathOnA(lab, 'down');
  await flow();
  await lab.cuts.heal({ lan: 'a', host: 1 });
  await everyPathOnA(lab, 'up');
  t.same(await straysOfHost1(lab, 'b'), [], 'it is drained still');
  t.same(await losses(), [0, 0], 'while it was off');

  t.equal((await say(lab, 'undrain', 'A')).exit, 0);
  await lab.goes('a', 'a');
  await flow();
  t.same(await losses(), [0, 0], 'at undrain');
  await lab.stopsClean(t);
});

t.test(
  'a responder drains: its peers leave as well; what nothing else carries stays',
  async (t) => {
    const lab = await Lab.open(t, { daemon, special: { 1: { requestor: false } } });
    const { flow, losses } = await traffic(lab);
    t.equal((await say(lab, 'drain', 'A')).exit, 0);
    await lab.goes('a', 'b');
    await flow();
    t.same(await losses(), [0, 0], 'at drain');
    t.equal((await say(lab, 'undrain', 'A')).exit, 0);
    await lab.goes('a', 'a');
    await flow();
    t.same(await losses(), [0, 0], 'at undrain');

    await lab.cuts.cut({ lan: 'b' });
    await lab.goes('b', 'a');
    const again = await say(lab, 'drain', 'A');
    t.equal(again.exit, 1, 'traffic stays on the last LAN, and that is said');
    t.match(again.answer.users, [{ peer: { name: 'host2' } }, { peer: { name: 'host2' } }]);
    await flow();
    t.same(await losses(), [0, 0], 'and nothing of LAN A is lost by the attempt');
  },
);

t.test('what cannot be kept is done all the same, and said', async (t) => {
  const state = mkdtempSync(join(kArenaDirectory, 'state-'));
  const special = { 1: { more: ['--state-dir', state] } };
  const lab = await Lab.open(t, { daemon, special });
  rmSync(state, { recursive: true });
  const host = lab.topology.host(1);
  const drained = await faild(host, 'drain', 'A', ...place(host));
  const said = /says: drain A is done, but a restart would forget it: .*drained/;
  t.match(drained, { status: 1, stderr: said });
  await lab.goes('a', 'b');
  t.equal((await say(lab, 'undrain', 'A')).exit, 0, 'there is nothing to keep');
  await lab.goes('a', 'a');
  await lab.stopsClean(t);
});

// Aim: of two real engines that speak every millisecond on two LANs a tap misses nothing; who looks
// too seldom is told exactly how many he has missed, and the engine waits for nobody.
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type NativeEngine, type NativeTappedProbe, native } from '../../lib/engine/native.js';
import { namespacesRefused, plainPlan, runtimeConfig, TwoHosts } from './support.js';

const skip = namespacesRefused() ?? false;
const everything = { host: null, lan: null };
const ringSlots = 8192;

// Patient: a stall of this machine is no matter of the tap.
const timing = { intervalUs: 1000, failAfter: 500, restoreAfter: 5 };

function start(host: number, networkNamespace: string): NativeEngine {
  const lans = native
    .listInterfaces(networkNamespace)
    .filter(({ loopback }) => !loopback)
    .sort((a, b) => (a.interface < b.interface ? -1 : 1))
    .map((lan) => ({ ...lan, name: lan.interface }));
  const config = runtimeConfig(host, networkNamespace, lans);
  const plan = { ...plainPlan, timing: [timing, timing] };
  const engine: NativeEngine = new native.Engine({ ...config, plan }, () => engine.drain());
  engine.start();
  return engine;
}

async function allUp(engine: NativeEngine): Promise<void> {
  for (;;) {
    const { paths } = await engine.snapshot();
    if (paths.filter(({ state }) => state === 'up').length === 2) return;
    await pause(5);
  }
}

/** Looks every 5 ms for so long. */
async function listen(engine: NativeEngine, ms: number): Promise<NativeTappedProbe[]> {
  const probes: NativeTappedProbe[] = [];
  const endUs = native.monotonicUs() + ms * 1000;
  while (native.monotonicUs() < endUs) {
    await pause(5);
    probes.push(...engine.drainTap(ringSlots));
  }
  return probes;
}

/** The inquiries by LAN and direction, as their sequences. */
function streamsOf(probes: readonly NativeTappedProbe[]): Map<string, number[]> {
  const streams = new Map<string, number[]>();
  for (const { kind, lan, sent, sequence } of probes) {
    if (kind !== 'inq') continue;
    const key = `${sent ? 'sent' : 'received'} on ${lan}`;
    streams.set(key, [...(streams.get(key) ?? []), sequence]);
  }
  return streams;
}

function missingIn(sequences: readonly number[]): number {
  return (sequences.at(-1) ?? 0) - (sequences[0] ?? 0) + 1 - sequences.length;
}

const lostOnTheWay = async (engine: NativeEngine): Promise<number> =>
  (await engine.snapshot()).paths.reduce((sum, { lost }) => sum + lost, 0);

function inOrder(t: Test, probes: readonly NativeTappedProbe[]): void {
  for (const [name, sequences] of streamsOf(probes)) {
    t.same(
      sequences,
      [...new Set(sequences)].sort((a, b) => a - b),
      `${name}: each once, in order`,
    );
  }
}

async function missesNothing(t: Test, engine: NativeEngine): Promise<void> {
  const lostBefore = await lostOnTheWay(engine);
  engine.command({ kind: 'tap', watch: everything });
  const probes = await listen(engine, 3000);
  const lost = (await lostOnTheWay(engine)) - lostBefore;
  inOrder(t, probes);
  const streams = streamsOf(probes);
  t.equal(streams.size, 4);
  for (const [name, sequences] of streams) {
    t.ok(sequences.length > 1000, `${name}: ${sequences.length}`);
    if (name.startsWith('sent')) t.equal(missingIn(sequences), 0, name);
  }
  const missing = [...streams.values()].reduce((sum, some) => sum + missingIn(some), 0);
  t.ok(missing <= lost, `but what a full socket has lost: ${missing} of ${lost}`);
  t.equal(probes.filter(({ lostBefore }) => lostBefore > 0).length, 0);
  t.ok(probes.every(({ host, sent }) => (host === null) === sent || host !== null));
}

async function countsTheMissed(t: Test, engine: NativeEngine): Promise<void> {
  const lostBefore = await lostOnTheWay(engine);
  engine.drainTap(0);
  await pause(4000);
  const probes = [...engine.drainTap(ringSlots), ...(await listen(engine, 100))];
  const lost = (await lostOnTheWay(engine)) - lostBefore;
  inOrder(t, probes);
  const [first, ...others] = probes;
  const gaps = others.filter((probe) => probe.lostBefore > 0);
  t.ok(gaps.length > 0 && gaps[0] === probes[ringSlots], 'after what the ring could hold');
  // In one place, or in more: where this thread stands still in the midst of looking, the ring is
  // full again as soon as what it has taken is made good.
  const told = gaps.reduce((sum, { lostBefore }) => sum + lostBefore, 0);
  t.comment(`${told} lost in ${gaps.length} places; before the first ${first?.lostBefore}`);
  const streams = [...streamsOf(probes).values()];
  const missing = streams.reduce((sum, some) => sum + missingIn(some), 0);
  const solicits = told + lost - missing;
  t.ok(solicits >= 0 && solicits < 20, `${missing} inquiries, and ${solicits} other probes`);
}

async function passesOver(t: Test, engine: NativeEngine): Promise<void> {
  await pause(100);
  engine.drainTap(0);
  await pause(50);
  const passedOver = engine.drainTap(3);
  const [next] = engine.drainTap(1).concat(await listen(engine, 50));
  t.equal(passedOver.length, 3);
  t.ok((passedOver[0]?.lostBefore ?? 0) >= 100, `${passedOver[0]?.lostBefore}`);
  t.ok((next?.lostBefore ?? 0) >= 50, `${next?.lostBefore}`);
  t.throws(() => engine.drainTap(-1), { code: 'EINVAL', message: /room/ });
}

async function watchesSome(t: Test, engine: NativeEngine): Promise<void> {
  const host = (await engine.snapshot()).peers[0]?.host ?? '';
  engine.command({ kind: 'tap', watch: { host, lan: 1 } });
  await pause(20);
  engine.drainTap(0);
  const some = await listen(engine, 100);
  t.same([...streamsOf(some).keys()].sort(), ['received on 1', 'sent on 1']);
  engine.command({ kind: 'tap', watch: { host: '000000000000f00d', lan: null } });
  await pause(20);
  engine.drainTap(0);
  t.ok((await listen(engine, 100)).every((probe) => probe.sent && probe.host === null));
  engine.command({ kind: 'tap', watch: null });
  await pause(20);
  engine.drainTap(0);
  t.same(await listen(engine, 50), []);
  const tooFar = { kind: 'tap', watch: { host: null, lan: 2 } } as const;
  t.throws(() => engine.command(tooFar), { code: 'EINVAL', message: /command.watch.lan/ });
}

t.test('a tap on two engines at 1 ms', { skip }, async (t) => {
  const hosts = new TwoHosts('tap');
  t.teardown(() => hosts.remove());
  const engines = [1, 2].map((host) => start(host, hosts.path(host)));
  t.teardown(() => {
    for (const engine of engines) engine.stop(false);
  });
  const [engine] = engines;
  if (engine === undefined) throw new Error('no engine');
  await allUp(engine);
  t.same(engine.drainTap(ringSlots), [], 'nobody listens');

  await t.test('nothing at all is missed', (t) => missesNothing(t, engine));
  await t.test('who does not look is told how many he has missed', (t) =>
    countsTheMissed(t, engine),
  );
  await t.test('what is not wanted is passed over and counted', (t) => passesOver(t, engine));
  await t.test('one LAN, one peer, or nobody any more', (t) => watchesSome(t, engine));
});

// Aim: real engines in two network namespaces become peers; a silent cut in the middle of LAN A
// moves traffic at both ends and back; a blocked event loop does not stop an engine; stop and drain
// hold their contracts.
import { performance } from 'node:perf_hooks';
import t, { type Test } from 'tap';
import {
  type NativeEngine,
  type NativeEvent,
  type NativeProbes,
  type NativeSnapshot,
  native,
} from '../../lib/engine/native.js';
import { namespacesRefused, plainPlan, runtimeConfig, TwoHosts } from './support.js';

const skip = namespacesRefused() ?? false;

/** 200 ms to a verdict: a busy machine shall not look like a silent peer. */
const kDetectUs = 200_000;
const timing = { intervalUs: 10_000, failAfter: kDetectUs / 10_000, restoreAfter: 5 };
const patientPlan = { ...plainPlan, timing: [timing, timing] };

/** An engine in its namespace, with all that it has said so far. */
class Running {
  readonly events: NativeEvent[] = [];
  readonly engine: NativeEngine;
  #changed: () => void = () => {};

  constructor(host: number, networkNamespace: string) {
    const lans = native
      .listInterfaces(networkNamespace)
      .filter(({ loopback }) => !loopback)
      .sort((a, b) => (a.interface < b.interface ? -1 : 1))
      .map((lan) => ({ ...lan, name: lan.interface }));
    const config = { ...runtimeConfig(host, networkNamespace, lans), plan: patientPlan };
    this.engine = new native.Engine(config, () => {
      this.events.push(...this.engine.drain().events);
      this.#changed();
    });
    this.engine.start();
  }

  /** Resolves with the first event, past or to come, that fits. */
  async until(fits: (event: NativeEvent) => boolean): Promise<NativeEvent> {
    for (;;) {
      const found = this.events.find(fits);
      if (found !== undefined) return found;
      await this.#nextWake();
    }
  }

  async untilBothUp(): Promise<void> {
    const up = (lan: number) =>
      this.until((event) => event.kind === 'path-up' && event.lan === lan);
    await Promise.all([up(0), up(1)]);
  }

  /**
   * A running engine alone does not keep the process alive: this timer does, and bounds the wait.
   */
  #nextWake(): Promise<void> {
    return new Promise((resolve, reject) => {
      const said = () => this.events.map(({ kind, lan }) => `${kind} ${lan}`).join(', ');
      const timer = setTimeout(() => reject(new Error(`waited 10 s; so far: ${said()}`)), 10_000);
      const before = this.#changed;
      this.#changed = () => {
        before();
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function pathStates(snapshot: NativeSnapshot): string[] {
  return snapshot.paths.map(({ lan, state }) => `${lan} ${state}`).sort();
}

async function readsRecorder(t: Test, engine: NativeEngine): Promise<void> {
  const query = { host: null, lan: null };
  const [snapshot, all, onB] = await Promise.all([
    engine.snapshot(),
    engine.probes(query),
    engine.probes({ ...query, lan: 1 }),
    engine.snapshot(),
  ]);
  t.same(pathStates(snapshot), ['0 up', '1 up']);
  const rings = ({ recordings }: NativeProbes) =>
    recordings.map(({ host, lan, probes }) => [host, lan, probes.length > 0]);
  const other = snapshot.peers[0]?.host ?? '';
  t.same(rings(all), [
    [null, 0, true],
    [null, 1, true],
    [other, 0, true],
    [other, 1, true],
  ]);
  t.same(rings(onB), [
    [null, 1, true],
    [other, 1, true],
  ]);
  t.equal(all.leftOut, 0);
  await t.rejects(engine.probes({ ...query, lan: 2 }), { code: 'EINVAL', message: /query.lan/ });
  t.match(await engine.probes({ ...query, host: other }), { recordings: { length: 4 } });
}

function countsTime(t: Test, { histograms }: NativeSnapshot): void {
  for (const { boundsUs, counts, sumUs } of Object.values(histograms)) {
    t.equal(counts.length, boundsUs.length + 1);
    t.ok(sumUs > 0, 'timers are late, and the kernel was asked for rules and neighbours');
  }
}

function carriesEvidence(t: Test, down: NativeEvent): void {
  const [dump] = down.dumps ?? [];
  const heard = dump?.path.probes.filter(({ sent, refused }) => !sent && !refused) ?? [];
  const lastUs = heard.at(-1)?.atUs ?? down.atUs;
  t.ok(down.atUs - lastUs >= kDetectUs, `nothing was heard for ${down.atUs - lastUs} us`);
  t.ok(dump?.lan.probes.some(({ sent, atUs }) => sent && atUs > lastUs));
}

t.test('two engines over two LANs', { skip }, async (t) => {
  const hosts = new TwoHosts('pair');
  t.teardown(() => hosts.remove());
  const running = [1, 2].map((host) => new Running(host, hosts.path(host)));
  t.teardown(() => {
    for (const { engine } of running) engine.stop(false);
  });
  await Promise.all(running.map((host) => host.untilBothUp()));

  await t.test('they are peers on both LANs', async (t) => {
    for (const { engine } of running) {
      const snapshot = await engine.snapshot();
      t.same(pathStates(snapshot), ['0 up', '1 up']);
      t.equal(snapshot.peers.length, 1);
      t.ok((snapshot.counters.packetsReceived ?? 0) > 0);
      countsTime(t, snapshot);
      t.match(engine.facts(), { transport: 'raw' });
      await readsRecorder(t, engine);
    }
    t.notOk(running.some(({ events }) => events.some(({ kind }) => kind === 'answer')));
  });

  await t.test('a silent cut moves traffic at both ends, healing moves it back', async (t) => {
    hosts.setLan(0, 'down');
    for (const host of running) {
      const moved = await host.until(({ kind }) => kind.endsWith('failover'));
      t.match(moved, { lan: 0, alternate: 1 });
      t.ok(moved.detectUs >= kDetectUs, `detected after ${moved.detectUs} us`);
      carriesEvidence(t, await host.until(({ kind, lan }) => kind === 'path-down' && lan === 0));
    }
    hosts.setLan(0, 'up');
    for (const host of running) await host.until(({ kind }) => kind.endsWith('switchback'));
  });

  await t.test('a blocked event loop does not stop the engine', async (t) => {
    const [{ engine }] = running as [Running, Running];
    const before = engine.heartbeatCount();
    const end = performance.now() + 2000;
    while (performance.now() < end);
    t.ok(engine.heartbeatCount() - before > 100, `${engine.heartbeatCount() - before} rounds`);
    const both = await Promise.all([engine.snapshot(), engine.snapshot(), engine.snapshot()]);
    for (const snapshot of both) t.same(pathStates(snapshot), ['0 up', '1 up']);
  });

  await t.test('commands are answered by their id', async (t) => {
    const [host] = running as [Running, Running];
    const plan = { ...patientPlan, preference: [1, 0], switchback: 'sticky' as const };
    const id = host.engine.command({ kind: 'set-plan', plan });
    const answer = await host.until((event) => event.kind === 'answer' && event.id === id);
    t.equal(answer.error, 0);
    t.throws(() => host.engine.command({ kind: 'bye' } as never), { code: 'EINVAL' });
  });

  await t.test('a goodbye is heard; stop is idempotent and ends what waits', async (t) => {
    const [first, second] = running as [Running, Running];
    const late = t.rejects(first.engine.snapshot(), { code: 'ESTOPPED' });
    first.engine.stop(true);
    first.engine.stop(true);
    await late;
    await second.until(({ kind }) => kind === 'path-stopped');
    t.throws(() => first.engine.facts(), { code: 'ENOTRUNNING' });
    first.engine.start();
    t.throws(() => first.engine.start(), { code: 'EALREADY' });
    await second.until(({ kind, lan }) => kind === 'path-up' && lan === 0);
  });

  t.comment(
    `resident memory with two engines: ${Math.round(process.memoryUsage().rss / 2 ** 20)} MB`,
  );
});

// Aim: two virtual engines, whose packets we carry by hand, become peers; silence on one LAN is
// judged at the very microsecond that the contract names, and asks for routes; sound again,
// everything goes back. No clock, no chance.
import t from 'tap';
import {
  type NativeEvent,
  native,
  type VirtualEffects,
  type VirtualEngine,
} from '../../lib/engine/native.js';
import { engineConfig, virtualLan } from './support.js';

/** 3 x 10 ms, and a tolerance of 100 us and a twentieth of the interval (native/core/path.h). */
const deadlineUs = 30_600;

interface Host {
  engine: VirtualEngine;
  events: NativeEvent[];
  routeOps: VirtualEffects['routeOps'];
}

/** Two hosts, two LANs without delay; every route operation succeeds at once. */
class Pair {
  nowUs = 1_000_000;
  readonly dead = new Set<number>();
  /** What the frames of host number so say, where the transport shows it. */
  readonly frameMacs = new Map<number, string>();
  readonly hosts: Host[] = [1, 2].map((number) => ({
    engine: new native.VirtualEngine(engineConfig(number), this.nowUs),
    events: [],
    routeOps: [],
  }));

  constructor() {
    for (const host of this.hosts) this.carryOut(host, host.engine.onResync(this.nowUs, []));
  }

  runUntil(endUs: number): void {
    for (;;) {
      const next = [...this.hosts].sort((a, b) => a.engine.pollAtUs() - b.engine.pollAtUs())[0];
      if (next === undefined || next.engine.pollAtUs() > endUs) break;
      this.nowUs = Math.max(this.nowUs, next.engine.pollAtUs());
      this.carryOut(next, next.engine.onDeadline(this.nowUs));
    }
    this.nowUs = endUs;
  }

  carryOut(host: Host, effects: VirtualEffects): void {
    host.events.push(...effects.events);
    host.routeOps.push(...effects.routeOps);
    for (const { id } of effects.routeOps) {
      this.carryOut(host, host.engine.onRouteResult(this.nowUs, id, 0));
    }
    const from = this.hosts.indexOf(host) + 1;
    for (const other of this.hosts) {
      if (other === host) continue;
      for (const { lan, payload } of effects.sends) {
        if (this.dead.has(lan)) continue;
        const source = `10.77.${lan + 1}.${from}`;
        const mac = this.frameMacs.get(from);
        const heard = other.engine.onPacket(this.nowUs, this.nowUs, lan, source, payload, mac);
        this.carryOut(other, heard);
      }
    }
  }

  /** The same for both. */
  inputs(feed: (engine: VirtualEngine) => VirtualEffects): void {
    for (const host of this.hosts) this.carryOut(host, feed(host.engine));
  }

  states(host: number): string[] {
    const rows = this.hosts[host]?.engine.snapshot(this.nowUs).paths ?? [];
    return rows.map(({ lan, state }) => `${'AB'.charAt(lan)} ${state}`).sort();
  }
}

t.test('two engines become peers on both LANs', async (t) => {
  const pair = new Pair();
  pair.runUntil(1_500_000);
  for (const host of [0, 1]) t.same(pair.states(host), ['A up', 'B up']);
  const kinds = pair.hosts[0]?.events.map(({ kind }) => kind) ?? [];
  t.equal(kinds.filter((kind) => kind === 'peer-found').length, 1);
  t.equal(kinds.filter((kind) => kind === 'path-up').length, 2);
  const snapshot = pair.hosts[0]?.engine.snapshot(pair.nowUs);
  t.match(snapshot?.peers, [{ host: '0000000000000002', name: 'host-2', requestor: true }]);
  t.match(snapshot?.lans, [{ state: 'up' }, { state: 'up' }]);
});

t.test('silence is judged at the deadline, and routes follow', async (t) => {
  const pair = new Pair();
  pair.runUntil(1_500_000);
  pair.dead.add(0);
  for (const host of pair.hosts) host.events.length = host.routeOps.length = 0;
  pair.runUntil(1_600_000);
  for (const [index, host] of pair.hosts.entries()) {
    t.same(pair.states(index), ['A down', 'B up']);
    const down = host.events.find(({ kind }) => kind === 'path-down' || kind === 'lan-down');
    t.ok(down, 'a verdict was given');
    if (down === undefined) continue;
    t.equal(down.lan, 0);
    const moved = host.events.find(({ kind }) => kind.endsWith('failover'));
    t.match(moved, { lan: 0, alternate: 1, applyUs: 0 });
    t.equal(moved?.detectUs, deadlineUs);
    const heard = down.dumps?.[0]?.path.probes.filter(({ sent }) => !sent) ?? [];
    t.equal(heard.at(-1)?.atUs, down.atUs - deadlineUs, 'what was heard last goes with it');
    const query = { host: null, lan: 0 };
    const [ours] = host.engine.probes(pair.nowUs, query).recordings;
    t.match(ours, { host: null, lan: 0, intervalUs: 10_000, probes: { length: 8 } });
    t.ok(ours?.probes.every(({ sent, kind }) => sent && kind === 'inq'));
    t.ok(host.routeOps.some(({ kind, what }) => kind === 'set' && what !== 'neighbour'));
  }
});

t.test('healed, the paths are proven again and traffic returns', async (t) => {
  const pair = new Pair();
  pair.runUntil(1_500_000);
  pair.dead.add(0);
  pair.runUntil(1_600_000);
  pair.dead.delete(0);
  pair.runUntil(2_500_000);
  for (const [index, host] of pair.hosts.entries()) {
    t.same(pair.states(index), ['A up', 'B up']);
    t.ok(host.events.some(({ kind }) => kind.endsWith('switchback')));
    t.same(
      host.engine.snapshot(pair.nowUs).paths.filter(({ alternate }) => alternate !== null),
      [],
    );
  }
});

t.test('the frame is believed about its MAC address, without one the sender is', async (t) => {
  const pair = new Pair();
  pair.frameMacs.set(2, '02:00:00:00:00:99');
  pair.runUntil(1_500_000);
  const macs = (host: number) => pair.hosts[host]?.engine.paths(pair.nowUs).map(({ mac }) => mac);
  t.same(macs(0), ['02:00:00:00:00:99', '02:00:00:00:00:99']);
  t.same(macs(1), ['02:00:00:00:00:01', '02:00:00:00:01:01']);
  const neighbours = pair.hosts[0]?.routeOps.filter(({ what }) => what === 'neighbour');
  t.ok(neighbours?.length);
  for (const { gateway } of neighbours ?? []) t.equal(gateway, '02:00:00:00:00:99');
});

t.test('an answer goes to the MAC address from which the question came', async (t) => {
  const [asker, answerer] = [1, 2].map((number) => {
    const engine = new native.VirtualEngine(
      { ...engineConfig(number), requestor: number === 1 },
      1_000_000,
    );
    engine.onResync(1_000_000, []);
    return engine;
  });
  if (asker === undefined || answerer === undefined) throw new Error('two were made');
  const atUs = asker.pollAtUs();
  const [question] = asker.onDeadline(atUs).sends;
  t.match(question, { lan: 0, to: null, toMac: null });
  const hear = (mac?: string) => {
    const payload = question?.payload ?? new Uint8Array();
    return answerer.onPacket(atUs, atUs, 0, '10.77.1.1', payload, mac).sends;
  };
  t.match(hear('02:00:00:00:00:99')[0], { to: '10.77.1.1', toMac: '02:00:00:00:00:99' });
  t.throws(() => hear('x'), { code: 'EINVAL', message: /^fromMac: "x"/ });
});

t.test('a packet that the kernel dropped puts a verdict off by one interval', async (t) => {
  const verdictUs = (drops: boolean) => {
    const pair = new Pair();
    pair.runUntil(1_500_000);
    pair.dead.add(0);
    pair.runUntil(1_520_000); // of silence: of less than an interval there is nothing to excuse
    if (drops) pair.inputs((engine) => engine.onReceiveDrops(pair.nowUs, 0, 1));
    pair.runUntil(1_600_000);
    const events = pair.hosts[0]?.events ?? [];
    const told = events.filter(({ kind }) => kind === 'receive-drops').map(({ count }) => count);
    t.same(told, drops ? [1] : []);
    return events.find(({ kind }) => kind === 'path-down' || kind === 'lan-down')?.atUs ?? 0;
  };
  t.equal(verdictUs(true) - verdictUs(false), 10_000);
});

t.test('another network card is announced, and the kernel is looked at again', async (t) => {
  const pair = new Pair();
  pair.runUntil(1_500_000);
  const [host] = pair.hosts;
  const card = { ...virtualLan(1, 0), ifindex: 77, mac: '02:00:00:00:00:77' };
  const effects = host?.engine.onInterface(pair.nowUs, 0, card);
  t.equal(effects?.resync, true);
  pair.runUntil(1_600_000);
  t.equal(pair.hosts[1]?.events.filter(({ kind }) => kind === 'peer-changed').length, 1);
  t.match(pair.hosts[1]?.engine.snapshot(pair.nowUs).paths[0], { mac: card.mac, state: 'up' });
  t.throws(() => host?.engine.onInterface(pair.nowUs, 0, { ...card, mac: 'x' }), {
    message: /^interface\.mac: "x"/,
  });
});

t.test('the path table alone is that of the snapshot', async (t) => {
  const pair = new Pair();
  pair.runUntil(1_500_000);
  for (const { engine } of pair.hosts) {
    t.equal(engine.paths(pair.nowUs).length, 2);
    t.same(engine.paths(pair.nowUs), engine.snapshot(pair.nowUs).paths);
  }
});

t.test('the same inputs give the same events', async (t) => {
  const trace = () => {
    const pair = new Pair();
    pair.runUntil(1_500_000);
    pair.dead.add(1);
    pair.runUntil(1_700_000);
    return pair.hosts.map(({ events, routeOps }) => ({ events, routeOps }));
  };
  t.same(trace(), trace());
});

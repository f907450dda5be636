// Aim: two virtual engines, whose packets we carry by hand, become peers; silence on one LAN is
// judged at the very microsecond that the contract names, and asks for routes; sound again,
// everything goes back. No clock, no chance.
import t from 'tap';
import {
  type NativeEvent,
  native,
  type VirtualEffects,
  type VirtualEngine,
} from '../../lib/native.js';
import { engineConfig } from './support.js';

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
        const heard = other.engine.onPacket(this.nowUs, this.nowUs, lan, source, payload);
        this.carryOut(other, heard);
      }
    }
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

// What must hold after every step of every engine, whatever happens to the cluster. `watch` hangs
// all of it on a cluster; the first breach is thrown where it happens, with the last lines of the
// trace.
//
//   sound choice       a chosen LAN is never one that is judged down while another is up
//   silent replay      deciding everything again from the same plan, or from a dump of the same
//                      kernel, gives no route operation: nothing was forgotten, nothing is undone
//   founded verdicts   no `down` when nothing was cut and no more than f-1 packets in a row were
//                      lost (nor was a host restarted, stalled or overrun)
//   needed operations  the kernel is never asked for what it has, nor to remove what it has not
//   one metric each    no two routes of a table share a metric, no destination has two routes
//   true neighbours    a neighbour entry names a MAC address that the peer really has or had
//   dump first         nothing is written before the kernel's first dump was read
//
// That everybody finds back in time, and that the same seed gives the same trace, are properties of
// whole runs: convergence.ts, properties.test.ts.
import type { NativeEvent, NativePathRow } from '../../lib/engine/native.js';
import { hostOf, lanName } from './addresses.js';
import type { Cluster, Step } from './cluster.js';
import { memoryUs, overdueUs, patienceUs } from './detector.js';
import type { Host } from './host.js';

const shownLines = 25;

/** Only after one of these can a path be down or its traffic away. */
const troubles = new Set(['path-down', 'lan-down', 'adopted', 'failover', 'lan-failover']);

export class Breach extends Error {
  constructor(cluster: Cluster, invariant: string, host: Host, what: string) {
    const last = cluster.trace.lines.slice(-shownLines).join('\n  ');
    super(`${invariant}: host ${host.number} at ${cluster.nowUs} us: ${what}\n  ${last}`);
    this.name = 'Breach';
  }
}

export class Invariants {
  /** Steps looked at, and of these the ones that were decided again. */
  steps = 0;
  replays = 0;
  readonly #cluster: Cluster;
  /** Since when traffic has been on a LAN that is down, by place. */
  readonly #badSinceUs = new Map<string, number>();
  /** Hosts with something else than all paths up: only there can a choice be wrong. */
  readonly #troubled = new Set<Host>();
  readonly #seen = new Map<Host, { changes: number; idle: number }>();
  #replaying = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  afterStep(step: Step): void {
    const { host } = step;
    this.steps++;
    this.#dumpFirst(step);
    const changed = this.#neededOperations(step);
    if (changed) this.#oneMetricEach(host);
    this.#trueNeighbours(step);
    for (const event of step.effects.events) {
      this.#foundedVerdict(host, event);
      if (troubles.has(event.kind)) this.#troubled.add(host);
    }
    // Whoever asks for a dump does not know yet what it will show.
    const open = step.effects.resync || !host.isQuiet(this.#cluster.nowUs);
    if (open || this.#replaying) return;
    this.#soundChoices(host);
    this.#silentReplay(host, changed);
  }

  // --- sound choice

  #soundChoices(host: Host): void {
    if (!this.#troubled.has(host)) return;
    const byPeer = new Map<string, NativePathRow[]>();
    for (const row of host.paths(this.#cluster.nowUs)) {
      byPeer.set(row.host, [...(byPeer.get(row.host) ?? []), row]);
    }
    const well = [...byPeer.values()]
      .map((rows) => this.#soundChoicesFor(host, rows))
      .every((sound) => sound);
    if (well) this.#troubled.delete(host);
  }

  /** One peer. True when all its paths are up and none takes an alternate. */
  #soundChoicesFor(host: Host, rows: NativePathRow[]): boolean {
    const good = rows.find((row) => this.#isGood(host, row));
    const isDown = (lan: number | undefined) =>
      rows.some((row) => row.lan === lan && row.state === 'down');
    for (const row of rows) {
      const place = `${host.number} ${row.host} ${row.lan}`;
      const chosen = this.#chosen(host, row);
      if (good === undefined || !chosen.some(isDown)) {
        this.#badSinceUs.delete(place);
        continue;
      }
      const sinceUs = this.#badSinceUs.get(place) ?? this.#cluster.nowUs;
      this.#badSinceUs.set(place, sinceUs);
      const stays = chosen.every((lan) => lan === row.lan) && row.good > 0;
      // Patience is counted in time during which the host was able to listen.
      const waitedUs = this.#cluster.nowUs - Math.max(sinceUs, host.excusedUntilUs);
      if (stays && waitedUs <= patienceUs(host.timingOn(row.lan), row.intervalUs)) continue;
      const what = `traffic for host ${hostOf(row.host)} on LAN ${lanName(row.lan)} takes`;
      const why = `${row.state} ${row.reason}, good ${row.good}`;
      const lans = chosen.map((lan) => lanName(lan ?? -1));
      this.#breach(
        'sound choice',
        host,
        `${what} ${lans} while ${lanName(good.lan)} is up; ${why}`,
      );
    }
    return rows.every(({ state, alternate }) => state === 'up' && alternate === null);
  }

  /** The engine's choice for a path, and what the kernel does with packets to its addresses. */
  #chosen(host: Host, { host: peer, lan, alternate }: NativePathRow): (number | undefined)[] {
    const addresses = this.#cluster.host(hostOf(peer)).addresses(lan);
    const ways = addresses.map((address) => {
      const ifindex = host.kernel.lookup(address)?.ways[0]?.ifindex;
      return ifindex === undefined ? undefined : host.lanOf(ifindex);
    });
    return [alternate ?? lan, ...ways];
  }

  /** Up, heard lately, and not a suspect: one not heard since its whole LAN was judged dead. */
  #isGood(host: Host, { state, silenceUs, intervalUs, lan }: NativePathRow): boolean {
    if (state !== 'up' || silenceUs === null) return false;
    if (silenceUs >= overdueUs(host.timingOn(lan).failAfter, intervalUs)) return false;
    const deadSinceUs = host.deadLans.get(lan);
    return deadSinceUs === undefined || this.#cluster.nowUs - silenceUs >= deadSinceUs;
  }

  // --- silent replay

  #silentReplay(host: Host, kernelChanged: boolean): void {
    this.#replaying = true;
    this.replays++;
    const again = [this.#cluster.command(host, { kind: 'set-plan', plan: host.plan() })];
    if (kernelChanged) again.push(this.#cluster.resync(host));
    for (const { routeOps } of again) {
      const op = routeOps.find(({ what }) => what !== 'neighbour');
      if (op === undefined) continue;
      this.#breach('silent replay', host, `${op.kind} ${op.what} ${op.destination} was asked for`);
    }
    this.#replaying = false;
  }

  // --- founded verdicts

  #foundedVerdict(host: Host, { kind, lan, host: peer, reason }: NativeEvent): void {
    if (kind !== 'path-down' && kind !== 'lan-down') return;
    if (reason === 'adopted') return; // what a former life left, not a verdict
    if (reason === 'carrier') {
      if (host.interfaces[lan]?.carrier === false) return;
    } else if (this.#suspects(kind, peer).some((other) => this.#hasCause(host, other, lan))) {
      return;
    }
    const whom = peer === null ? '' : ` host ${hostOf(peer)}`;
    this.#breach('founded verdicts', host, `${kind}${whom} on LAN ${lanName(lan)} (${reason})`);
  }

  /** Whose trouble may have caused it: a LAN is judged when one of its peers is. */
  #suspects(kind: string, peer: string | null): readonly Host[] {
    return kind === 'lan-down' || peer === null
      ? this.#cluster.hosts
      : [this.#cluster.host(hostOf(peer))];
  }

  #hasCause(host: Host, other: Host, lan: number): boolean {
    if (host === other) return false;
    const sinceUs = this.#cluster.nowUs - memoryUs(host.timingOn(lan), other.timingOn(lan));
    if ([host, other].some((end) => !end.runs || end.stopping || end.excusedUntilUs >= sinceUs)) {
      return true;
    }
    // Nothing is sent into an interface without a carrier, so nothing is lost on the wire either.
    if ([host, other].some((end) => end.interfaces[lan]?.carrier === false)) return true;
    const links = [
      this.#cluster.lans.link(lan, host.number, other.number),
      this.#cluster.lans.link(lan, other.number, host.number),
    ];
    if (links.some((link) => link.wasUnsteadySince(sinceUs))) return true;
    const runs = links.map((link) => link.worstRunSince(sinceUs));
    const missed = Math.min(host.timingOn(lan).failAfter, other.timingOn(lan).failAfter);
    // Between a requestor and a responder an inquiry *or* its answer may be what is lost.
    const both = host.options.requestor && other.options.requestor;
    const lost = both ? Math.max(...runs) : runs.reduce((sum, run) => sum + run, 0);
    return lost >= missed;
  }

  // --- needed operations, one metric each, true neighbours, dump first

  /** True when the kernel has changed since this host's last step. */
  #neededOperations({ host, input, refused }: Step): boolean {
    const { changes, idle } = host.kernel;
    const before = this.#seen.get(host) ?? { changes: 0, idle: 0 };
    this.#seen.set(host, { changes, idle });
    // A removed interface takes its routes along; the dump that tells follows.
    if (input === 'interface') return true;
    const [first] = refused;
    if (first !== undefined) {
      const { op, error } = first;
      const what = `${op.kind} ${op.what} ${op.destination} was refused with errno ${error}`;
      this.#breach('needed operations', host, what);
    }
    if (idle !== before.idle) {
      this.#breach('needed operations', host, 'the kernel was asked for what it has');
    }
    return changes !== before.changes;
  }

  #oneMetricEach(host: Host): void {
    const places = new Set<string>();
    for (const { what, table, priority, destination } of host.kernel.entries) {
      if (what !== 'route') continue;
      for (const place of [`${table} metric ${priority}`, `${table} to ${destination}`]) {
        if (places.has(place)) this.#breach('one metric each', host, `two routes: ${place}`);
        places.add(place);
      }
    }
  }

  #trueNeighbours({ host, effects }: Step): void {
    for (const { what, destination, gateway, outIfindex } of effects.routeOps) {
      if (what !== 'neighbour' || gateway === '00:00:00:00:00:00') continue;
      const lan = host.lanOf(outIfindex) ?? -1;
      const owner = this.#cluster.hosts.find((other) => other.owns(destination, lan));
      if (owner?.macs(lan).includes(gateway ?? '')) continue;
      const claim = `${destination} on LAN ${lanName(lan)} never was at ${gateway}`;
      this.#breach('true neighbours', host, claim);
    }
  }

  #dumpFirst({ host, effects }: Step): void {
    const written = effects.routeOps.length > 0;
    if (written && !host.synced) this.#breach('dump first', host, 'it wrote before the dump');
  }

  #breach(invariant: string, host: Host, what: string): never {
    throw new Breach(this.#cluster, invariant, host, what);
  }
}

/** Watches a cluster from now on. */
export function watch(cluster: Cluster): Invariants {
  const invariants = new Invariants(cluster);
  cluster.onStep = (step) => invariants.afterStep(step);
  return invariants;
}

// A whole cluster under virtual time: real engines (`native.VirtualEngine`), and around them a world
// of our own - LANs that lose, delay, duplicate and reorder, kernels, restarts, stalls. The clock
// jumps from one event to the next, and one seed decides everything, so that a minute of a cluster
// takes well under a second and every run can be repeated.
//
//   const cluster = new Cluster({ seed: 7, lans: 2, hosts: [{}, {}, { requestor: false }] });
//   cluster.startAll();
//   cluster.run(2 * seconds);
//   cluster.cutLan(0);                                    // LAN A dies
//   cluster.run(100 * milliseconds);
//   cluster.way(0, 1, 0);                                 // 1: host 0 reaches host 1's A by LAN B
//   console.log(cluster.trace.lines.join('\n'));
//
// It is also the shortest complete example of how to drive the engine: step() below is everything
// that whoever owns a VirtualEngine has to do with its effects.
import type {
  NativeCommand,
  NativeTiming,
  VirtualEffects,
  VirtualEngine,
  VirtualRouteOp,
  VirtualSend,
} from '../../lib/engine/native.js';
import { type Families, lanName } from './addresses.js';
import { Agenda } from './agenda.js';
import { Host, type HostOptions, usualHost } from './host.js';
import { Lans, type LinkState } from './lans.js';
import { Random } from './random.js';
import { Trace } from './trace.js';

export const milliseconds = 1000;
export const seconds = 1_000_000;

/** From an operation to the kernel's answer. */
const answerUs = 20;
/** A new daemon's first dump of its kernel takes at most so long; packets arrive meanwhile. */
const dumpUs = 2 * milliseconds;
/** From the last goodbye to the end of the process. */
const exitUs = 1 * milliseconds;

export interface ClusterOptions {
  seed: number;
  lans: number;
  /** One a host; what is not said is as in `usualHost`. */
  hosts: readonly Partial<HostOptions>[];
  families?: Families;
}

/** One input to one engine, and what it asked for. The effects have been carried out. */
export interface Step {
  host: Host;
  input: string;
  effects: VirtualEffects;
  /** Operations that the kernel did not accept. */
  refused: { op: VirtualRouteOp; error: number }[];
}

type CommandInput = NativeCommand | { kind: 'bye' };

export class Cluster {
  readonly hosts: readonly Host[];
  readonly lans: Lans;
  readonly trace = new Trace();
  nowUs = 1 * seconds;
  /** Called after every step of every engine. */
  onStep: (step: Step) => void = () => {};
  readonly #agenda = new Agenda();
  readonly #random: Random;

  constructor({ seed, lans, hosts, families = 'both' }: ClusterOptions) {
    this.#random = new Random(seed);
    this.lans = new Lans(lans, hosts.length);
    this.hosts = hosts.map(
      (options, number) => new Host(number, lans, { ...usualHost, ...options }, families),
    );
  }

  // --- time

  /** Lets so much time pass. */
  run(timeUs: number): void {
    const endUs = this.nowUs + timeUs;
    while (this.#advance(endUs));
  }

  /** Runs until `done`; how long that took, or undefined when it did not happen within `limitUs`. */
  runUntil(done: () => boolean, limitUs: number): number | undefined {
    const beginUs = this.nowUs;
    while (!done()) {
      if (!this.#advance(beginUs + limitUs)) return undefined;
    }
    return this.nowUs - beginUs;
  }

  // --- what happens to hosts

  start(number: number): void {
    const host = this.host(number);
    if (host.runs) return;
    this.trace.fault(this.nowUs, `host ${number} starts`);
    host.boot(this.nowUs, 'simulation', this.#random.next(), Math.max(16, this.hosts.length));
    this.#later(host, this.nowUs + this.#random.below(dumpUs), () => this.resync(host));
  }

  startAll(): void {
    for (const { number } of this.hosts) this.start(number);
  }

  /** A reload: from now on this is the host's timing on that LAN. */
  retime(number: number, lan: number, change: Partial<NativeTiming>): void {
    const host = this.host(number);
    host.timing[lan] = { ...host.timingOn(lan), ...change };
    this.trace.fault(this.nowUs, `host ${number} on LAN ${lan}: ${JSON.stringify(change)}`);
    if (host.runs) this.command(host, { kind: 'set-plan', plan: host.plan() });
  }

  /** The operator drains the whole host, or has done with it; over restarts. */
  drain(number: number, drained: boolean): void {
    const host = this.host(number);
    host.drained = drained;
    this.trace.fault(this.nowUs, `host ${number} is ${drained ? '' : 'not '}drained`);
    if (host.runs) this.command(host, { kind: 'set-plan', plan: host.plan() });
  }

  /** SIGKILL: not a word, and the kernel keeps the routes. */
  crash(number: number): void {
    const host = this.host(number);
    if (!host.runs) return;
    this.trace.fault(this.nowUs, `host ${number}'s daemon is killed`);
    host.die();
  }

  /** SIGTERM: goodbye three times, clean-up, and the process ends a little later. */
  stop(number: number): void {
    const host = this.host(number);
    if (!host.runs || host.stopping) return;
    this.trace.fault(this.nowUs, `host ${number}'s daemon stops`);
    host.stopping = true;
    for (let times = 0; times < 3; times++) this.command(host, { kind: 'bye' });
    this.command(host, { kind: 'cleanup' });
    this.#later(host, this.nowUs + exitUs, () => host.die());
  }

  /** Power is lost, and the kernel with it. */
  powerOff(number: number): void {
    this.crash(number);
    this.trace.fault(this.nowUs, `host ${number} loses its power`);
    this.host(number).kernel.clear();
  }

  /** The daemon's thread does not run for so long. Packets wait in its sockets. */
  stall(number: number, timeUs: number): void {
    this.trace.fault(this.nowUs, `host ${number} stalls for ${timeUs} us`);
    this.host(number).stall(this.nowUs + timeUs);
  }

  /** The cable is pulled, and the host's own interface says so. */
  unplug(lan: number, number: number): void {
    this.#setCarrier(lan, this.host(number), false);
  }

  plug(lan: number, number: number): void {
    this.#setCarrier(lan, this.host(number), true);
  }

  /** Another network card: its routes are gone, its MAC address is new. */
  replaceInterface(lan: number, number: number): void {
    const host = this.host(number);
    this.trace.fault(this.nowUs, `host ${number} gets a new card on LAN ${lanName(lan)}`);
    const old = host.interfaces[lan]?.ifindex ?? 0;
    const next = host.replaceInterface(lan);
    host.kernel.loseInterface(old);
    if (host.runs) this.#input(host, 'interface', (e) => e.onInterface(this.nowUs, lan, next));
  }

  /** The kernel drops packets of a LAN before the daemon reads them, and counts them. */
  overrun(lan: number, number: number, count: number): void {
    const host = this.host(number);
    if (!host.runs) return;
    this.trace.fault(this.nowUs, `host ${number} drops ${count} on LAN ${lanName(lan)}`);
    for (const other of this.hosts) this.lans.link(lan, other.number, number).noteLost(this.nowUs);
    host.excusedUntilUs = Math.max(host.excusedUntilUs, this.nowUs);
    this.#input(host, 'receive-drops', (e) => e.onReceiveDrops(this.nowUs, lan, count));
  }

  /** Somebody deletes the n-th of faild's routes and rules; the daemon is told, or not. */
  loseEntry(number: number, nth: number, told: boolean): void {
    const host = this.host(number);
    const entries = host.kernel.entries;
    const lost = entries[nth % Math.max(1, entries.length)];
    if (lost === undefined) return;
    this.trace.fault(this.nowUs, `somebody deletes ${lost.destination} of host ${number}`);
    host.kernel.lose(lost);
    if (!host.runs) return;
    if (!told) {
      this.resync(host); // the news was lost (ENOBUFS), so it looks at everything
      return;
    }
    const { table, destination } = lost;
    const what = lost.what === 'rule' ? 'rule' : 'route';
    this.#input(host, 'entry-removed', (e) =>
      e.onEntryRemoved(this.nowUs, what, table, destination),
    );
  }

  // --- what happens to LANs

  cutLan(lan: number): void {
    this.trace.fault(this.nowUs, `LAN ${lanName(lan)} dies`);
    this.lans.cutLan(lan, true);
  }

  healLan(lan: number): void {
    this.trace.fault(this.nowUs, `LAN ${lanName(lan)} is whole`);
    this.lans.cutLan(lan, false);
  }

  cutHost(lan: number, number: number, way: 'both' | 'out' | 'in' = 'both'): void {
    this.trace.fault(this.nowUs, `host ${number} is cut from LAN ${lanName(lan)} (${way})`);
    this.lans.cutHost(lan, number, true, way);
  }

  healHost(lan: number, number: number): void {
    this.trace.fault(this.nowUs, `host ${number} is on LAN ${lanName(lan)} again`);
    this.lans.cutHost(lan, number, false);
  }

  partition(lan: number, side: readonly number[]): void {
    this.trace.fault(this.nowUs, `LAN ${lanName(lan)} splits: hosts ${side} on one side`);
    this.lans.partition(lan, side);
  }

  /** One direction between two hosts. */
  setLink(lan: number, from: number, to: number, change: Partial<LinkState>): void {
    const what = `LAN ${lanName(lan)} from ${from} to ${to}: ${JSON.stringify(change)}`;
    this.trace.fault(this.nowUs, what);
    this.lans.set(this.nowUs, lan, from, to, change);
  }

  /** Everything is repaired, every cable is plugged, every daemon runs. */
  heal(): void {
    this.trace.fault(this.nowUs, 'everything is repaired');
    this.lans.heal(this.nowUs);
    for (const host of this.hosts) {
      if (host.stopping) host.die();
      this.start(host.number);
      host.interfaces.forEach(({ carrier }, lan) => {
        if (!carrier) this.plug(lan, host.number);
      });
    }
  }

  // --- questions

  host(number: number): Host {
    const host = this.hosts[number];
    if (host === undefined) throw new RangeError(`there is no host ${number}`);
    return host;
  }

  /** Two responders have nothing to say to each other: a pair needs a requestor. */
  meet(a: number, b: number): boolean {
    return a !== b && (this.host(a).options.requestor || this.host(b).options.requestor);
  }

  /**
   * The LAN by which `from`'s kernel sends packets for the first address of `to` on `lan`; while
   * traffic returns, the alternate.
   */
  way(from: number, to: number, lan: number): number | undefined {
    const [address = ''] = this.host(to).addresses(lan);
    const ifindex = this.host(from).kernel.lookup(address)?.ways[0]?.ifindex;
    return ifindex === undefined ? undefined : this.host(from).lanOf(ifindex);
  }

  /** How often this host has reported such an event. */
  count(number: number, kind: string): number {
    return this.host(number).events.filter((event) => event.kind === kind).length;
  }

  // --- one step

  command(host: Host, command: CommandInput): VirtualEffects {
    return this.#input(host, command.kind, (engine) => engine.onCommand(this.nowUs, command));
  }

  resync(host: Host): VirtualEffects {
    const dump = host.kernel.dump();
    host.synced = true;
    return this.#input(host, 'resync', (engine) => engine.onResync(this.nowUs, dump));
  }

  /** One input to a running engine: its effects are carried out, and whoever watches is called. */
  #input(host: Host, input: string, feed: (engine: VirtualEngine) => VirtualEffects) {
    const engine = host.engine;
    if (engine === undefined) throw new Error(`host ${host.number} does not run`);
    const effects = feed(engine);
    const refused = effects.routeOps.flatMap((op) => this.#carryOut(host, op));
    for (const send of effects.sends) this.#send(host, send);
    for (const event of effects.events) {
      this.trace.event(this.nowUs, host.number, event);
      host.events.push(event);
      if (event.kind === 'lan-down') host.deadLans.set(event.lan, event.atUs);
      if (event.kind === 'lan-up') host.deadLans.delete(event.lan);
    }
    host.pollAtUs = engine.pollAtUs();
    this.onStep({ host, input, effects, refused });
    if (effects.resync) this.resync(host);
    return effects;
  }

  /** The kernel obeys at once; its answers arrive a little later, in order. */
  #carryOut(host: Host, op: VirtualRouteOp): Step['refused'] {
    const error = host.kernel.carryOut(op);
    this.trace.routeOp(this.nowUs, host.number, op, error);
    host.unanswered++;
    this.#later(host, this.nowUs + answerUs, () => {
      host.unanswered--;
      this.#input(host, 'answer', (engine) => engine.onRouteResult(this.nowUs, op.id, error));
    });
    return error === 0 || op.what === 'neighbour' ? [] : [{ op, error }];
  }

  #send(from: Host, { lan, to, toMac, payload }: VirtualSend): void {
    for (const host of this.hosts) {
      if (host === from) continue;
      const addressed = toMac === null ? host.owns(to ?? '', lan) : this.#hasMac(host, lan, toMac);
      if (to !== null && !addressed) continue;
      const frame = {
        lan,
        from: from.number,
        source: from.sourceOf(lan),
        mac: from.interfaces[lan]?.mac ?? '',
        payload,
      };
      const [now, random] = [this.nowUs, this.#random];
      for (const delayUs of this.lans.carry(now, lan, from.number, host.number, random)) {
        const arrivedUs = this.nowUs + delayUs;
        this.#agenda.plan(arrivedUs, () => this.#arrive(host, arrivedUs, frame));
      }
    }
  }

  #hasMac(host: Host, lan: number, mac: string): boolean {
    return host.interfaces[lan]?.mac === mac;
  }

  /** Stamped by the kernel on arrival; read now, or when the thread runs again. */
  #arrive(host: Host, arrivedUs: number, frame: Frame): void {
    if (!host.runs) return;
    if (this.nowUs < host.stalledUntilUs) {
      this.#later(host, host.stalledUntilUs, () => this.#arrive(host, arrivedUs, frame));
      return;
    }
    const { lan, from, source, mac, payload } = frame;
    this.trace.arrival(arrivedUs, lan, from, host.number);
    this.#input(host, 'packet', (engine) =>
      engine.onPacket(this.nowUs, arrivedUs, lan, source, payload, mac),
    );
  }

  /** Happens only if the host's daemon still lives its present life. */
  #later(host: Host, atUs: number, act: () => void): void {
    const { life } = host;
    this.#agenda.plan(atUs, () => {
      if (host.life === life) act();
    });
  }

  /** The next thing that happens, if it happens by `limitUs`. */
  #advance(limitUs: number): boolean {
    let sleeper: Host | undefined;
    let atUs = limitUs;
    for (const host of this.hosts) {
      const wakeUs = Math.max(host.pollAtUs, host.stalledUntilUs);
      if (!host.runs || wakeUs >= atUs) continue;
      atUs = wakeUs;
      sleeper = host;
    }
    // What has arrived is read before anybody is judged.
    if (this.#agenda.nextUs <= atUs) {
      this.nowUs = Math.max(this.nowUs, this.#agenda.nextUs);
      this.#agenda.take()?.();
      return true;
    }
    this.nowUs = Math.max(this.nowUs, atUs);
    if (sleeper === undefined) return false;
    this.#input(sleeper, 'deadline', (engine) => engine.onDeadline(this.nowUs));
    return true;
  }

  #setCarrier(lan: number, host: Host, carrier: boolean): void {
    const word = carrier ? 'plugged into' : 'unplugged from';
    this.trace.fault(this.nowUs, `host ${host.number} is ${word} LAN ${lanName(lan)}`);
    this.lans.plug(this.nowUs, lan, host.number, carrier);
    const face = host.interfaces[lan];
    if (face === undefined) return;
    host.interfaces[lan] = { ...face, carrier };
    if (host.runs) this.#input(host, 'link', (engine) => engine.onLink(this.nowUs, lan, carrier));
  }
}

/** A packet on a LAN. */
interface Frame {
  lan: number;
  from: number;
  source: string;
  mac: string;
  payload: Uint8Array;
}

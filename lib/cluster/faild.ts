// The public door to a running faild: one object that owns one native engine. The daemon goes
// through it as well.
//
// The engine detects and fails over on its own thread, and needs nothing of what happens here: this
// side names its events, answers questions about its tables, and starts and stops it.
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';

import { type ClockReading, wallMs } from '../base/clock.js';
import { FaildError, messageOf } from '../base/errors.js';
import { version } from '../base/version.js';
import { type Config, type FaildOptions, parseConfig } from '../config/config.js';
import { chooseLans } from '../config/interfaces.js';
import { Commands } from '../engine/commands.js';
import type { NativeHistograms } from '../engine/histograms.js';
import {
  type NativeEngine,
  type NativeEvent,
  type NativeLan,
  type NativeProbeQuery,
  type NativeProbes,
  type NativeSnapshot,
  native,
} from '../engine/native.js';
import { Snapshots } from '../engine/snapshots.js';
import { Tap, type TapListener } from '../engine/tap.js';
import { Told } from '../engine/told.js';
import { answerCut, type CutAnswer, type CutOrder, checkCut } from './cuts.js';
import { readDrained, stillDrained, writeDrained } from './drained.js';
import { engineConfig, timingsOf } from './engine-config.js';
import { EventRing, type Recent } from './event-ring.js';
import { type FaildEvent, lostEvent, translate } from './events.js';
import {
  answerHostDrain,
  type HostDrainAction,
  type HostDrainAnswer,
  toldWithinMs,
  untoldOf,
} from './host-drain.js';
import { takeIdentity } from './identity.js';
import {
  answerMove,
  checkScope,
  findPeer,
  hasLeft,
  type MoveAction,
  type MoveAnswer,
  type MoveScope,
} from './moves.js';
import { Peers } from './peers.js';
import { configuredPolicy, makePlan, type Policy } from './policy.js';
import { type EventStream, ReaderQueue } from './reader-queue.js';
import { buildStatus, type RunFacts, type Status } from './status.js';

/** Twice the engine's event ring: a reader that keeps up loses nothing, whatever comes at once. */
const defaultCapacity = 8192;

/** Kept for `recentEvents`: of a thousand hosts on two LANs, all that a bad day brings. */
const recentCapacity = 4096;

/** How long a move on command is waited for; the engine needs milliseconds for a large cluster. */
const moveWithinMs = (): number => 2000;
const lookAgainMs = 5;

/** Events published at a time: then the readers get a turn, so that a burst fits their queues. */
const publishedAtOnce = 1024;

/** A round trip on a LAN that takes longer is a lost packet; more than the engine's own patience. */
const roundTripPatienceMs = 600;

/** The most that a timer of Node holds. */
const longestTimerMs = 2 ** 31 - 1;

/** What `Faild.start` takes: the flags' values, and what only a program can bring. */
export interface EmbedderOptions extends FaildOptions {
  /** Instead of faild's own: from the configuration and the known peers to the plan. */
  policy?: Policy | undefined;
}

/** What `/metrics` is made of. */
export interface Measured {
  status: Status;
  histograms: NativeHistograms;
}

export class Faild implements AsyncDisposable {
  /** What is amiss since the start: to be said loudly by whoever has a voice. */
  readonly warnings: readonly string[];
  readonly lans: readonly NativeLan[];

  readonly #engine: NativeEngine;
  readonly #commands: Commands;
  readonly #policy: Policy;
  #facts: RunFacts;
  readonly #peers: Peers;
  readonly #told = new Told();
  readonly #readers = new Set<ReaderQueue<FaildEvent>>();
  readonly #recent = new EventRing(recentCapacity);
  readonly #snapshots: Snapshots;
  readonly #tap: Tap;
  /** Plans are made one after another, each from what the last has left. */
  #planning: Promise<unknown> = Promise.resolve();
  #undelivered: NativeEvent[] = [];
  #lost = 0;
  #lostSeen = 0;
  #delivering: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  /** A running faild keeps the process alive, as a listening server does; the addon does not. */
  readonly #alive: NodeJS.Timeout;

  /**
   * Checks the options, finds the LANs, takes this host's identity and starts detecting. Needs
   * CAP_NET_ADMIN (and CAP_NET_RAW for the raw transport). Throws FaildError; then nothing is left
   * behind.
   *
   *     await using faild = await Faild.start({ requestor: true, interval: 0.01 });
   *     for await (const event of faild.events()) console.log(event);
   */
  static async start({ policy, ...options }: EmbedderOptions = {}): Promise<Faild> {
    return new Faild(parseConfig(options), policy);
  }

  /** The same for a configuration that is checked already; for the daemon. */
  static async launch(config: Config): Promise<Faild> {
    return new Faild(config);
  }

  private constructor(config: Config, policy: Policy = configuredPolicy) {
    const interfaces = native.listInterfaces(config.networkNamespace ?? '');
    const { lans, warnings } = chooseLans(interfaces, config.lans, config.ignoredInterfaces);
    const identity = takeIdentity(config.stateDir);
    const left = readDrained(config.stateDir);
    const drained = left.lans.map((name) => indexOf(lans, name)).filter((index) => index >= 0);
    const made = makePlan(policy, { config, lans, peers: [] });
    const timing = timingsOf(config, lans);
    const plan = { ...made, drained, hostDrained: left.host, timing };
    const still = stillDrained(left, lans);
    const noted = identity.warning === undefined ? [] : [identity.warning];
    this.warnings = [...warnings, ...noted, ...still];
    this.lans = lans;
    this.#peers = new Peers(lans);
    this.#policy = policy;
    const settings = engineConfig(config, identity, lans, plan);
    this.#engine = new native.Engine(settings, () => this.#onWake());
    this.#commands = new Commands(this.#engine, () => this.#onWake());
    this.#snapshots = new Snapshots(this.#engine, (taken) => this.#peers.update(taken));
    this.#tap = new Tap(this.#engine, this.#commands, native.monotonicUs);
    this.#engine.start();
    this.#alive = setInterval(() => {}, longestTimerMs);
    this.#facts = { version, config, identity, plan, engine: this.#engine.facts() };
  }

  get facts(): RunFacts {
    return this.#facts;
  }

  /**
   * All events from now on, for this reader alone. A reader that falls more than `capacity` events
   * behind finds one `lost` event in their place. With `since`, the kept ones of so many seconds
   * come first, and none is left out or told twice. The loop ends when faild stops.
   */
  events({
    capacity = defaultCapacity,
    since,
  }: {
    capacity?: number;
    since?: number | undefined;
  } = {}): EventStream {
    const makeLost = (count: number): FaildEvent => lostEvent(count, readClock());
    const queue = new ReaderQueue(capacity, makeLost, (reader) => this.#readers.delete(reader));
    if (since !== undefined) {
      for (const event of this.recentEvents({ since }).events) queue.push(event);
    }
    if (this.#stopped === undefined) this.#readers.add(queue);
    else queue.end();
    return queue;
  }

  /** The last events that are kept: of so many seconds, or all of them. */
  recentEvents({ since }: { since?: number | undefined } = {}): Recent {
    if (since === undefined) return this.#recent.since();
    return this.#recent.since(readClock().monotonicUs - since * 1e6);
  }

  /** The whole state, as of now; `engine.alive` false: as it was when the engine last answered. */
  async status(): Promise<Status> {
    return (await this.measured()).status;
  }

  /** The same, with what the engine has measured of itself and of the kernel since its start. */
  async measured(): Promise<Measured> {
    this.#throwIfStopped();
    const look = await this.#snapshots.look();
    const { histograms } = look.snapshot;
    return { status: buildStatus(look, this.#facts, readClock()), histograms };
  }

  /**
   * Moves the traffic for a LAN's addresses to the alternates, of one peer or of all that are known
   * now, and keeps it there until `switchback`. Only this host's own traffic: peers do not hear of
   * it. Resolves when the kernel has taken it.
   */
  failover(scope: MoveScope): Promise<MoveAnswer> {
    return this.#moveByHand('failover', scope);
  }

  /**
   * Lets traffic return that was moved by hand, or that waits for this (`sticky`, `manual`). A path
   * that is down keeps its alternate.
   */
  switchback(scope: MoveScope): Promise<MoveAnswer> {
    return this.#moveByHand('switchback', scope);
  }

  /**
   * Frees a LAN of traffic for maintenance: ours leaves it, and peers are told to leave it too.
   * Where nothing else reaches a peer, its traffic stays. Holds until `undrain`, over restarts as
   * well: it is kept in the state directory. Where that cannot be, the LAN is drained all the same,
   * and the error says what a restart would forget.
   */
  drain(lan: string): Promise<MoveAnswer> {
    return this.#drain('drain', lan);
  }

  undrain(lan: string): Promise<MoveAnswer> {
    return this.#drain('undrain', lan);
  }

  /**
   * Announces that this host may fall silent: peers then take that for planned. It moves nothing.
   * Resolves when every peer that is up has acknowledged it, or names those that have not in time.
   * Holds, and is kept, as the drain of a LAN.
   */
  drainHost(): Promise<HostDrainAnswer> {
    return this.#drainHost('drain-host');
  }

  undrainHost(): Promise<HostDrainAnswer> {
    return this.#drainHost('undrain-host');
  }

  /**
   * Our own heartbeats on a LAN are not sent, or not read, for so long at most: peers and this host
   * take it for dead. Refused where traffic could not move or would not return by itself. For
   * measuring; all other packets pass.
   */
  async cut({ lan, direction, seconds }: CutOrder): Promise<CutAnswer> {
    const status = await this.status();
    checkCut(status, lan, null);
    const muted = { in: direction !== 'out', out: direction !== 'in', lengthUs: seconds * 1e6 };
    const order = { kind: 'mute', lan: this.#indexOf(lan), ...muted } as const;
    return answerCut(status, lan, (await this.#commands.run(order)).atUs);
  }

  /** Before its time. */
  async heal(lan: string): Promise<CutAnswer> {
    const status = await this.status();
    checkScope(status, { lan, peer: null });
    const order = { kind: 'unmute', lan: this.#indexOf(lan) } as const;
    return answerCut(status, lan, (await this.#commands.run(order)).atUs);
  }

  /** What the flight recorder holds, and the clocks at that moment. */
  async probes(query: NativeProbeQuery): Promise<{ taken: NativeProbes; now: ClockReading }> {
    const taken = await this.#engine.probes(query);
    return { taken, now: readClock() };
  }

  /** Probes as they pass, from now on, until `leave` or the end; and the clocks at that moment. */
  async tapProbes(
    query: NativeProbeQuery,
    listener: TapListener,
  ): Promise<{ now: ClockReading; leave: () => void }> {
    this.#throwIfStopped();
    const leave = await this.#tap.listen(query, listener);
    return { now: readClock(), leave };
  }

  /** Grows while the engine's thread goes round; an idle one sleeps until something happens. */
  get rounds(): number {
    return this.#engine.heartbeatCount();
  }

  /** Makes an idle engine go round once. */
  nudge(): void {
    this.#snapshots.take().catch(() => undefined);
  }

  /**
   * Asks the policy again, with the peers as they are now, and hands the engine its plan. No path
   * changes its state by that. A plan that is refused (EBADPLAN says why) changes nothing.
   */
  replan(): Promise<void> {
    return this.reconfigure(this.#facts.config);
  }

  /**
   * The same with another configuration, of which only what the plan is made of and the timing may
   * differ: the rest was built into the engine at its start. For the daemon. Peers hear of another
   * interval before it can hurt (docs/wire.md), so that this is no fault to anybody.
   */
  async reconfigure(config: Config): Promise<void> {
    await this.#changePlan(async ({ plan: { drained, hostDrained } }) => {
      const { peers } = await this.status();
      const plan = makePlan(this.#policy, { config, lans: this.lans, peers });
      const timing = timingsOf(config, this.lans);
      return { config, plan: { ...plan, drained, hostDrained, timing } };
    });
  }

  /**
   * Asks a peer (by its id) on a LAN, out of turn, and waits for its answer: the round trip in us.
   * Rejects with ETIMEDOUT when none comes, EAGAIN or EBUSY when the peer was asked just now.
   */
  async roundTrip(peer: string, lan: number): Promise<number> {
    const command = { kind: 'probe', host: peer, lan } as const;
    return (await this.#commands.run(command, roundTripPatienceMs)).roundTripUs;
  }

  /**
   * Says goodbye to the peers and stops. Failovers in force stay in the kernel, so that nobody is
   * cut off. Rejects with EHUNG, after 2 s, when the engine's thread hangs: all else is stopped then,
   * but that thread ends only with the process.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#shutDown();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #throwIfStopped(): void {
    if (this.#stopped === undefined) return;
    throw new FaildError('ESTOPPED', 'this faild has been stopped');
  }

  #changePlan(change: (facts: RunFacts) => Promise<Partial<RunFacts>>): Promise<void> {
    const turn = this.#planning.then(async () => {
      const next = { ...this.#facts, ...(await change(this.#facts)) };
      await this.#commands.run({ kind: 'set-plan', plan: next.plan });
      this.#facts = next;
    });
    this.#planning = turn.catch(() => undefined);
    return turn;
  }

  async #moveByHand(kind: 'failover' | 'switchback', scope: MoveScope): Promise<MoveAnswer> {
    const status = await this.status();
    checkScope(status, scope);
    const host = scope.peer === null ? null : findPeer(status.peers, scope.peer).id;
    await this.#commands.run({ kind, host, lan: this.#indexOf(scope.lan) });
    return await this.#answerMove(kind, scope);
  }

  async #drain(action: 'drain' | 'undrain', name: string): Promise<MoveAnswer> {
    checkScope(await this.status(), { lan: name, peer: null });
    const lan = this.#indexOf(name);
    await this.#changePlan(async ({ plan }) => {
      const others = plan.drained.filter((index) => index !== lan);
      return { plan: { ...plan, drained: action === 'drain' ? [...others, lan] : others } };
    });
    this.#keepDrained(`${action} ${name}`);
    return await this.#answerMove(action, { lan: name, peer: null });
  }

  async #drainHost(action: HostDrainAction): Promise<HostDrainAnswer> {
    const hostDrained = action === 'drain-host';
    await this.#changePlan(async ({ plan }) => ({ plan: { ...plan, hostDrained } }));
    this.#keepDrained(`${action.replace('-', ' --')}`);
    const status = await this.#lookUntil((it) => untoldOf(it).length === 0, toldWithinMs);
    return answerHostDrain(action, status);
  }

  /** What leaves is waited for; what returns does so in its own time (hold time, two steps). */
  async #answerMove(action: MoveAction, scope: MoveScope): Promise<MoveAnswer> {
    const leaves = action === 'failover' || action === 'drain';
    const done = (status: Status) => !leaves || hasLeft(status, scope);
    return answerMove(action, await this.#lookUntil(done, moveWithinMs), scope);
  }

  /** By the clock: a look takes a busy program, or one with many peers, longer than the pause. */
  async #lookUntil(
    isSo: (status: Status) => boolean,
    withinMs: (peers: number) => number,
  ): Promise<Status> {
    let status = await this.status();
    const endUs = native.monotonicUs() + withinMs(status.peers.length) * 1e3;
    while (!isSo(status) && native.monotonicUs() < endUs) {
      await pause(lookAgainMs);
      status = await this.status();
    }
    return status;
  }

  #keepDrained(action: string): void {
    const { config, plan } = this.#facts;
    const lans = plan.drained.flatMap((index) => this.lans[index]?.name ?? []);
    try {
      writeDrained(config.stateDir, { lans, host: plan.hostDrained });
    } catch (error) {
      const line = `${action} is done, but a restart would forget it: ${messageOf(error)}`;
      // Not the file's own code: no file (ENOENT) is no LAN that is not known.
      throw new FaildError('EBADSTATE', line, { cause: error });
    }
  }

  #indexOf(lan: string): number {
    return indexOf(this.lans, lan);
  }

  async #shutDown(): Promise<void> {
    try {
      this.#engine.stop(true);
    } finally {
      await this.#endReaders();
    }
  }

  async #endReaders(): Promise<void> {
    this.#onWake();
    this.#tap.end();
    this.#commands.failAll(new FaildError('ESTOPPED', 'this faild has been stopped'));
    await this.#delivering;
    clearInterval(this.#alive);
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }

  /** Called by the addon, once for any number of events. */
  #onWake(): void {
    const { events, lost } = this.#engine.drain();
    this.#lost = lost;
    this.#commands.settle(events);
    this.#undelivered.push(...events);
    this.#delivering ??= this.#deliver().finally(() => {
      this.#delivering = undefined;
    });
  }

  /**
   * In order, and with names: events of a host that is new here wait for the snapshot that names
   * it. Where the engine could not hand over all of them, its table says what came of it.
   */
  async #deliver(): Promise<void> {
    while (this.#undelivered.length > 0 || this.#lost > this.#lostSeen) {
      const events = this.#undelivered.splice(0, publishedAtOnce);
      const missing = this.#lost - this.#lostSeen;
      this.#lostSeen = this.#lost;
      const stale = missing > 0 || this.#peers.isStale(events);
      const snapshot = stale ? await this.#readTable() : undefined;
      this.#publish(events);
      if (missing > 0) {
        this.#send(lostEvent(missing, readClock()));
        const rows = snapshot === undefined ? [] : this.#told.catchUp(snapshot);
        this.#undelivered = rows.concat(this.#undelivered);
      }
      await nextTurn();
    }
  }

  #publish(events: readonly NativeEvent[]): void {
    const now = readClock();
    for (const event of events) {
      if (this.#told.note(event)) this.#send(translate(event, this.#peers, now));
    }
  }

  #send(event: FaildEvent | undefined): void {
    if (event === undefined) return;
    this.#recent.push(event);
    for (const reader of this.#readers) reader.push(event);
  }

  /** Without an answer the events go out all the same, with ids for names. */
  async #readTable(): Promise<NativeSnapshot | undefined> {
    if (this.#stopped !== undefined) return undefined;
    return await this.#snapshots.take().catch(() => undefined);
  }
}

/**
 * Removes everything of faild's from the kernel, whatever runs there. Returns how many entries
 * went.
 */
export function cleanup(networkNamespace: string | null = null): number {
  return native.cleanup(networkNamespace ?? '');
}

function indexOf(lans: readonly NativeLan[], lan: string): number {
  return lans.findIndex(({ name }) => name === lan);
}

function readClock(): ClockReading {
  return { wallMs: wallMs(), monotonicUs: native.monotonicUs() };
}

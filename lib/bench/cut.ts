// `faild bench --cut LAN`: real cuts of a running pair, by muting the daemon's own heartbeats on a
// LAN (engine_mute.cc), and what both ends made of them. Traffic really moves; it is not cut.
//
// Outwards and inwards by turns: a peer that does not hear us says so in a packet that we hear, and
// one that we do not hear is judged here. Each cut has an end of its own in the engine, so that one
// whose bench was killed heals by itself.
//
// Called by bench/run.ts.

import { codeOf, FaildError, messageOf } from '../base/errors.js';
import { showDuration, writeDuration } from '../base/units.js';
import { type CutAnswer, checkCut } from '../cluster/cuts.js';
import type { FaildEvent } from '../cluster/events.js';
import type { Status, StatusPeer } from '../cluster/status.js';
import type { DaemonConfig } from '../config/config.js';
import { askToAct, fetchStatus, followEvents } from '../control/client.js';
import { native } from '../engine/native.js';
import {
  buildCutReport,
  type CutReport,
  type CutSample,
  type CutScene,
  movesOf,
  readCut,
  verdictsOf,
} from './cut-report.js';
import { type LanTiming, timingOf } from './report.js';

export interface CutBenchOrder {
  lan: string;
  /** Whose word counts; null: of all that are up on the LAN. */
  peer: string | null;
  /** Cuts in each direction. */
  count: number;
}

/** What is about to be done, for the question beforehand. */
export interface CutPlan {
  status: Status;
  peers: StatusPeer[];
  /** This host's, on that LAN. */
  timing: LanTiming;
  expectedUs: { min: number; max: number };
  /** A cut that nobody has noticed by then is given up. */
  longestUs: number;
}

/** The peer may have a longer detection time than ours, and a machine may stall. */
const longestDetections = 3;
const slackUs = 1e6;
/** The engine's own limit (engine_mute.cc). */
const longestMuteUs = 60e6;
/** After the first sign of a move or a return, for those that come with it. */
const graceUs = 50_000;
/** Proof, hold time and flap penalty apart. */
const calmSlackUs = 10e6;
const lookAgainMs = 20;
/** Events of a moment ago are told again: none is missed between asking and listening. */
const lookBack = '10s';

export function planCut(status: Status, { lan, peer }: CutBenchOrder): CutPlan {
  const peers = checkCut(status, lan, peer);
  const timing = timingOf(status, lan);
  const { intervalUs, failAfter } = timing;
  const paths = peers.flatMap(({ paths }) => paths.filter((path) => path.lan === lan));
  const slowestUs = Math.max(intervalUs, ...paths.map((path) => path.intervalUs));
  const detectUs = native.detectionTimeUs(slowestUs, failAfter);
  const longestUs = longestDetections * detectUs + slackUs;
  if (longestUs > longestMuteUs) {
    const line = `a LAN is cut for ${showDuration(longestMuteUs)} at most, and a verdict takes ${showDuration(detectUs)} here`;
    throw new FaildError('EINVAL', line, { exitStatus: 2 });
  }
  const max = native.detectionTimeUs(intervalUs, failAfter);
  return { status, peers, timing, expectedUs: { min: max - intervalUs, max }, longestUs };
}

/** Rejects with EINTR when the signal comes; a cut in force is healed then. */
export async function benchCut(
  order: CutBenchOrder,
  plan: CutPlan,
  { socket }: DaemonConfig,
  signal: AbortSignal,
): Promise<CutReport> {
  const bench = new CutBench(socket, order, plan, signal);
  const samples: CutSample[] = [];
  try {
    for (let i = 0; i < order.count; i++) {
      for (const direction of ['out', 'in'] as const) samples.push(await bench.cutOnce(direction));
    }
  } finally {
    await bench.end();
  }
  const { lan, count } = order;
  const facts = { lan, count, peers: plan.peers.map(({ name }) => name) };
  return buildCutReport(samples, { ...facts, expectedUs: plan.expectedUs }, plan.status);
}

class CutBench {
  readonly #listening = new AbortController();
  readonly #peers: ReadonlySet<string>;
  #events: FaildEvent[] = [];
  #deaf: unknown;
  /** While a LAN is cut: since when. */
  #cutUs: number | null = null;

  constructor(
    private readonly socket: string,
    private readonly order: CutBenchOrder,
    private readonly plan: CutPlan,
    private readonly signal: AbortSignal,
  ) {
    this.#peers = new Set(plan.peers.map(({ id }) => id));
    this.#listen().catch((error: unknown) => {
      this.#deaf = error;
    });
  }

  async cutOnce(direction: 'in' | 'out'): Promise<CutSample> {
    await this.#calm();
    this.#events = [];
    await this.#pause(Math.random() * this.plan.timing.intervalUs);
    const cutUs = await this.#begin(direction);
    const scene = { lan: this.order.lan, peers: this.#peers, direction, cutUs };
    const open: CutScene = { ...scene, healedUs: Number.POSITIVE_INFINITY };
    await this.#until(() => this.#isSeen(open), cutUs + this.plan.longestUs);
    await this.#pause(graceUs);
    const { healedUs, endedEarly } = await this.#heal(cutUs);
    const closed = { ...scene, healedUs };
    await this.#calm();
    await this.#until(() => this.#isBack(closed), native.monotonicUs() + this.plan.longestUs);
    await this.#pause(graceUs);
    return { ...readCut(this.#events, closed), endedEarly };
  }

  /** However it ends, nothing stays cut. */
  async end(): Promise<void> {
    this.#listening.abort();
    if (this.#cutUs !== null) await this.#heal(this.#cutUs).catch(() => undefined);
  }

  async #listen(): Promise<void> {
    const events = followEvents(this.socket, lookBack, this.#listening.signal);
    for await (const event of events) this.#events.push(event);
    if (!this.#listening.signal.aborted) throw new FaildError('ENODAEMON', 'the daemon has ended');
  }

  async #begin(direction: 'in' | 'out'): Promise<number> {
    const { lan } = this.order;
    const query = { lan, direction, for: writeDuration(Math.ceil(this.plan.longestUs) / 1e6) };
    this.#cutUs = (await askToAct<CutAnswer>(this.socket, '/v1/cut', query)).atUs;
    return this.#cutUs;
  }

  /** It may have healed by itself. */
  async #heal(cutUs: number): Promise<{ healedUs: number; endedEarly: boolean }> {
    this.#cutUs = null;
    const { lan } = this.order;
    const healed = () =>
      this.#events.find(
        (e) => e.kind === 'lan-unmuted' && e.lan.name === lan && e.monotonicUs >= cutUs,
      );
    if (healed() === undefined) {
      try {
        const { atUs } = await askToAct<CutAnswer>(this.socket, '/v1/heal', { lan });
        return { healedUs: atUs, endedEarly: false };
      } catch (error) {
        // Refused where its time has come just now: that is told by an event, which may be late.
        await this.#until(() => healed() !== undefined, native.monotonicUs() + slackUs);
        if (healed() === undefined) throw error;
      }
    }
    return { healedUs: healed()?.monotonicUs ?? cutUs, endedEarly: true };
  }

  /** Every peer was judged, here or there, and traffic has moved; or it is over already. */
  #isSeen(scene: CutScene): boolean {
    const events = this.#events.filter((event) => event.monotonicUs >= scene.cutUs);
    const verdicts = verdictsOf(events, scene);
    const judged = new Set(verdicts.flatMap((e) => (e.kind === 'path-down' ? e.path.peer.id : [])));
    const whole = verdicts.some((e) => e.kind === 'lan-down' && e.reason !== 'not-heard');
    const moved = movesOf(events, scene).length > 0;
    const over = events.some((e) => e.kind === 'lan-unmuted' && e.lan.name === scene.lan);
    return over || (moved && (whole || judged.size === this.#peers.size));
  }

  /** The table may tell of a return before the events do. */
  #isBack(scene: CutScene): boolean {
    const { movedUs, returnedUs } = readCut(this.#events, scene);
    return movedUs === null || returnedUs !== null;
  }

  /** All is as it was before the first cut. */
  async #calm(): Promise<void> {
    const { lan, peer } = this.order;
    const { status, timing, expectedUs } = this.plan;
    const { plan } = status;
    // A flap penalty asks for at most 64 times as many good packets.
    const flaps = plan.flapWindowUs > 0 ? 64 : 1;
    const proofUs = timing.restoreAfter * flaps * expectedUs.max;
    const giveUpUs = native.monotonicUs() + plan.holdUs + proofUs + calmSlackUs;
    for (;;) {
      try {
        checkCut(await fetchStatus(this.socket), lan, peer);
        return;
      } catch (error) {
        if (codeOf(error) !== 'EBUSY' || native.monotonicUs() > giveUpUs) throw error;
      }
      await this.#pause(lookAgainMs * 1000);
    }
  }

  async #until(found: () => boolean, untilUs: number): Promise<void> {
    while (!found() && native.monotonicUs() < untilUs) await this.#pause(1000);
  }

  /** Ends with whatever must end the bench. */
  async #pause(us: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, us / 1000));
    if (this.signal.aborted) throw new FaildError('EINTR', 'interrupted', { exitStatus: 130 });
    if (this.#deaf !== undefined) {
      throw new FaildError('EDAEMON', messageOf(this.#deaf), { exitStatus: 3 });
    }
  }
}

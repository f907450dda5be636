// A series of cuts, and what the observer saw of each: the heart of the bench. Knows nothing of
// faild: whoever changes the hosts' routes is judged by the same instants.
import type {
  AgentReport,
  Loss,
  Move,
  Span,
  Stall,
  Streamed,
  Trial,
  Waited,
  Watched,
} from './agent.js';
import type { BenchLab, CutTarget } from './lab.js';
import { countCpu } from './processes.js';
import { mapValues, random, sum } from './statistics.js';

/** A cut whose instant is known less well tells no latency, and is made again. */
export const kKnownWithinUs = 50;
/** So often at most, for one that is counted. */
const kMostRepeats = 10;

/** A stall of the machine this close before a move may be its cause. */
export const kStallAroundUs = 5000;

export interface SeriesOrder {
  count: number;
  target: CutTarget;
  /** The cuts' phases spread over ten of these. */
  intervalUs: number;
  holdUs: number;
  settleUs: number;
  seed?: number;
  /** Called before each cut, when nothing is measured. */
  before?: () => Promise<void>;
  /** Whose CPU time is counted. */
  pids?: readonly number[];
}

/** One end of the pair. Null: it never happened. Microseconds after the cut, or after the heal. */
export interface End {
  cutToMovedUs: number | null;
  healToReturnedUs: number | null;
  /** A false verdict before the cut had moved its traffic already. */
  awayBefore: boolean;
  /** Moves beside these two. */
  otherMoves: number;
  /** When the kernel told the host that a carrier was lost. */
  cutToCarrierUs: number | null;
}
export interface StreamCut {
  /** Longest silence between the cut and the route changes (without one: the heal). */
  gapUs: number;
  /** Packets sent after the heal that never arrived, and that arrived out of order. */
  lostAtSwitchback: number;
  lateAtSwitchback: number;
}
/** The longest wait of a TCP flow. Null: it was not over at the end. */
export interface TcpCut {
  stallUs: number | null;
  stallAtSwitchbackUs: number | null;
  /** The median of all waits of the trial. */
  usualUs: number | null;
}
/** A false verdict: a move that neither the cut nor the heal called for. */
export interface Stray {
  end: string;
  /** Microseconds after the cut, or after the heal. */
  atUs: number;
  after: 'cut' | 'heal';
  /** Until traffic was moved again. Null: it was not. */
  lastedUs: number | null;
  /** The machine's worst stall just before. */
  stallUs: number | null;
}
export interface CutResult {
  ends: Record<string, End>;
  streams: Record<string, StreamCut>;
  tcp: Record<string, TcpCut>;
  strays: Stray[];
  /** The machine's worst stall between the cut and the last move, if the watchers saw one. */
  stallUs: number | null;
  /** How well the cut's instant is known. */
  cutWidthUs: number;
  /** The same of those that were made before in its place, and whose false verdicts it tells. */
  repeatedWidthsUs: number[];
  /** Of each process of the order's `pids`, over the whole trial. */
  cpuPercent: number[];
}

export async function cutSeries(lab: BenchLab, order: SeriesOrder): Promise<CutResult[]> {
  const next = random(order.seed ?? 1);
  const results: CutResult[] = [];
  for (let i = 0; i < order.count; i++)
    results.push(await knownCut(() => cutOnce(lab, order, next)));
  return results;
}

/** By the instrument alone, whatever the hosts did; their false verdicts are kept. */
export async function knownCut(cut: () => Promise<CutResult>): Promise<CutResult> {
  const repeated: CutResult[] = [];
  for (;;) {
    const last = await cut();
    if (last.cutWidthUs <= kKnownWithinUs || repeated.length === kMostRepeats) {
      return {
        ...last,
        strays: [...repeated, last].flatMap(({ strays }) => strays),
        repeatedWidthsUs: repeated.map(({ cutWidthUs }) => cutWidthUs),
      };
    }
    repeated.push(last);
  }
}

async function cutOnce(lab: BenchLab, order: SeriesOrder, next: () => number): Promise<CutResult> {
  await order.before?.();
  await lab.agent.report(); // what happened up to here is nobody's cut
  const cpu = countCpu(order.pids ?? []);
  const trial = await lab.cut(order.target, {
    // Long enough for this program to sleep again.
    waitUs: 20_000 + next() * 10 * order.intervalUs,
    holdUs: order.holdUs,
    settleUs: order.settleUs,
  });
  return { ...judge(trial, await lab.agent.report(), lab.homes), cpuPercent: cpu() };
}

/** `homes`: the interface of each end's traffic while all is well, where it was not there at first. */
export function judge(
  trial: Trial,
  report: AgentReport,
  homes: Record<string, number> = {},
): CutResult {
  const judged = mapValues(report.watches, (watched, end) =>
    judgeEnd(trial, watched, end, homes[end]),
  );
  const ends = mapValues(judged, ({ end }) => end);
  const moved = Object.values(ends).map((end) => end.cutToMovedUs);
  const cutUs = trial.cutUs[0];
  const untilUs = moved.includes(null) ? trial.healUs[0] : cutUs + Math.max(...(moved as number[]));
  return {
    ends,
    streams: mapValues(report.streams, (stream) => judgeStream(trial, stream, untilUs)),
    tcp: mapValues(report.tcp, (waited) => judgeTcp(trial, waited)),
    strays: Object.values(judged).flatMap(({ strays, name }) =>
      strays.map(({ move, until }) => judgeStray(trial, name, move, until, report.stalls)),
    ),
    stallUs: worstStall(report.stalls, cutUs, untilUs),
    cutWidthUs: trial.cutUs[1] - trial.cutUs[0],
    repeatedWidthsUs: [],
    cpuPercent: [],
  };
}

function judgeEnd(
  trial: Trial,
  { moves, carriers }: Watched,
  name: string,
  home = moves[0]?.interface,
) {
  const [cutUs, healUs] = [trial.cutUs[0], trial.healUs[0]];
  // The first row is where it stood at the start.
  const later = moves.slice(1);
  const away = later.find((move) => move.atUs >= cutUs && move.interface !== home);
  const back = later.find((move) => move.atUs >= healUs && move.interface === home);
  const lost = carriers.find((carrier) => carrier.atUs >= cutUs && !carrier.present);
  const others = later.filter((move) => move !== away && move !== back);
  // The way back from a false move is no other one.
  const strays = others.filter((move) => {
    const before = later[later.indexOf(move) - 1];
    return move.interface !== home || before === undefined || !others.includes(before);
  });
  const end: End = {
    cutToMovedUs: away && away.atUs < healUs ? away.atUs - cutUs : null,
    healToReturnedUs: back ? back.atUs - healUs : null,
    awayBefore: moves.findLast((move) => move.atUs < cutUs)?.interface !== home,
    otherMoves: others.length,
    cutToCarrierUs: lost ? lost.atUs - cutUs : null,
  };
  return {
    name,
    end,
    strays: strays.map((move) => ({ move, until: later[later.indexOf(move) + 1] })),
  };
}

function judgeStray(
  trial: Trial,
  end: string,
  move: Move,
  until: Move | undefined,
  stalls: readonly Stall[],
): Stray {
  const after = move.atUs < trial.healUs[0] ? 'cut' : 'heal';
  return {
    end,
    after,
    atUs: move.atUs - (after === 'cut' ? trial.cutUs[0] : trial.healUs[0]),
    lastedUs: until ? until.atUs - move.atUs : null,
    stallUs: worstStall(stalls, move.atUs - kStallAroundUs, move.atUs),
  };
}

function judgeStream(trial: Trial, stream: Streamed, untilUs: number): StreamCut {
  const during = stream.gaps.filter(([from, to]) => to > trial.cutUs[0] && from < untilUs);
  const healed = stream.losses.filter((loss) => loss.sentBeforeUs >= trial.healUs[0]);
  const late = stream.late.filter((packet) => healed.some((loss) => covers(loss, packet.sequence)));
  return {
    gapUs: Math.max(0, ...during.map(([from, to]) => to - from)),
    lostAtSwitchback: sum(healed.map((loss) => loss.count)) - late.length,
    lateAtSwitchback: late.length,
  };
}

const covers = (loss: Loss, sequence: number): boolean =>
  sequence >= loss.first && sequence < loss.first + loss.count;

function judgeTcp(trial: Trial, { waits, sinceUs, durationsUs }: Waited): TcpCut {
  const [cutUs, healUs] = [trial.cutUs[0], trial.healUs[0]];
  // A bulk flow always waits for its next bytes; what began at the very end is no stall.
  const open = sinceUs !== null && trial.endUs - sinceUs > kStallAroundUs ? sinceUs : null;
  const longest = (spans: Span[]) => Math.max(0, ...spans.map(([from, to]) => to - from));
  const cut = waits.filter(([from, to]) => to > cutUs && from < healUs);
  const healed = waits.filter(([from]) => from >= healUs);
  return {
    stallUs: open !== null && open < healUs ? null : longest(cut),
    stallAtSwitchbackUs: open === null ? longest(healed) : null,
    usualUs: durationsUs?.p50 ?? null,
  };
}

/** The worst stall that overlaps a span, in microseconds. */
export function worstStall(stalls: readonly Stall[], fromUs: number, toUs: number): number | null {
  const inside = stalls.filter(
    (stall) => stall.sinceUs <= toUs && stall.sinceUs + stall.lateUs >= fromUs,
  );
  return inside.length === 0 ? null : Math.max(...inside.map((stall) => stall.lateUs));
}

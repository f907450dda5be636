// A series of silent cuts, and what the observer saw of each: the heart of the bench. Knows
// nothing of faild: whoever changes the hosts' routes is judged by the same instants.
import type { AgentReport, Loss, Stall, Streamed, Trial } from './agent.js';
import type { BenchLab, CutTarget } from './lab.js';
import { random } from './statistics.js';

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
}

/** One end of the pair. Null: it never happened. Microseconds after the cut, or after the heal. */
export interface End {
  cutToMovedUs: number | null;
  healToReturnedUs: number | null;
  /** Moves beside these two. */
  otherMoves: number;
}
export interface StreamCut {
  /** Longest silence between the cut and the route changes (without one: the heal). */
  gapUs: number;
  /** Packets sent after the heal that never arrived, and that arrived out of order. */
  lostAtSwitchback: number;
  lateAtSwitchback: number;
}
export interface CutResult {
  ends: Record<string, End>;
  streams: Record<string, StreamCut>;
  /** The machine's worst stall between the cut and the last move, if the watchers saw one. */
  stallUs: number | null;
}

export async function cutSeries(lab: BenchLab, order: SeriesOrder): Promise<CutResult[]> {
  const next = random(order.seed ?? 1);
  const results: CutResult[] = [];
  for (let i = 0; i < order.count; i++) {
    await order.before?.();
    await lab.agent.report(); // what happened up to here is nobody's cut
    const trial = await lab.cut(order.target, {
      // Long enough for this program to sleep again.
      waitUs: 20_000 + next() * 10 * order.intervalUs,
      holdUs: order.holdUs,
      settleUs: order.settleUs,
    });
    results.push(judge(trial, await lab.agent.report()));
  }
  return results;
}

export function judge(trial: Trial, report: AgentReport): CutResult {
  const ends = mapEntries(report.watches, ({ moves }) => judgeEnd(trial, moves));
  const moved = Object.values(ends).map((end) => end.cutToMovedUs);
  const cutUs = trial.cutUs[0];
  const untilUs = moved.includes(null) ? trial.healUs[0] : cutUs + Math.max(...(moved as number[]));
  return {
    ends,
    streams: mapEntries(report.streams, (stream) => judgeStream(trial, stream, untilUs)),
    stallUs: worstStall(report.stalls, cutUs, untilUs),
  };
}

function judgeEnd(trial: Trial, moves: { atUs: number; interface: number }[]): End {
  const home = moves[0]?.interface;
  const [cutUs, healUs] = [trial.cutUs[0], trial.healUs[0]];
  const away = moves.find((move) => move.atUs >= cutUs && move.interface !== home);
  const back = moves.find((move) => move.atUs >= healUs && move.interface === home);
  // The first row is where it stood at the start.
  const expected = 1 + (away ? 1 : 0) + (back ? 1 : 0);
  return {
    cutToMovedUs: away && away.atUs < healUs ? away.atUs - cutUs : null,
    healToReturnedUs: back ? back.atUs - healUs : null,
    otherMoves: moves.length - expected,
  };
}

function judgeStream(trial: Trial, stream: Streamed, untilUs: number): StreamCut {
  const during = stream.gaps.filter(([from, to]) => to > trial.cutUs[0] && from < untilUs);
  const healed = stream.losses.filter((loss) => loss.sentBeforeUs >= trial.healUs[0]);
  const late = stream.late.filter((packet) => healed.some((loss) => covers(loss, packet.sequence)));
  const missing = healed.reduce((sum, loss) => sum + loss.count, 0);
  return {
    gapUs: Math.max(0, ...during.map(([from, to]) => to - from)),
    lostAtSwitchback: missing - late.length,
    lateAtSwitchback: late.length,
  };
}

const covers = (loss: Loss, sequence: number): boolean =>
  sequence >= loss.first && sequence < loss.first + loss.count;

/** The worst stall that overlaps a span, in microseconds. */
export function worstStall(stalls: readonly Stall[], fromUs: number, toUs: number): number | null {
  const inside = stalls.filter(
    (stall) => stall.sinceUs <= toUs && stall.sinceUs + stall.lateUs >= fromUs,
  );
  return inside.length === 0 ? null : Math.max(...inside.map((stall) => stall.lateUs));
}

function mapEntries<A, B>(record: Record<string, A>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

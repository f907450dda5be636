// Aim: the bench's judge tells the move that a cut called for from one that nothing did, and counts
// only what happened in a cut's own time. Made-up records, so that every answer is known.
import t from 'tap';
import type { AgentReport, Trial } from '../../bench/agent.js';
import { judge, knownCut } from '../../bench/cuts.js';

const kHome = 11;
const kOther = 12;
// Cut at 1000 us, healed at 201,000 us.
const trial: Trial = { cutUs: [1000, 1002], healUs: [201_000, 201_001], endUs: 400_000 };

const moves = (...rows: [number, number][]) => ({
  notices: rows.length,
  overruns: 0,
  moves: [[0, kHome], ...rows].map(([atUs, out]) => ({ atUs: atUs ?? 0, interface: out ?? 0 })),
  carriers: [],
});

const report = (more: Partial<AgentReport>): AgentReport => ({
  atUs: 400_000,
  watches: { host1: moves([3500, kOther], [215_000, kHome]) },
  streams: {},
  tcp: {},
  pacingUs: null,
  refused: 0,
  stalls: [],
  latenessUs: [],
  ...more,
});

t.test('a failover and a switchback', async (t) => {
  const { ends, strays, cutWidthUs } = judge(trial, report({}));
  t.match(ends.host1, { cutToMovedUs: 2500, healToReturnedUs: 14_000, otherMoves: 0 });
  t.same(strays, []);
  t.equal(cutWidthUs, 2);
});

t.test('a cut whose instant is not known well is made again, ten times at most', async (t) => {
  const known = judge(trial, report({}));
  const stray = { end: 'host1', atUs: 1, after: 'heal' as const, lastedUs: 1, stallUs: 900 };
  const widths = [51, 900, 50, 49];
  const cuts = widths.map((cutWidthUs) => ({ ...known, cutWidthUs, strays: [stray] }));
  const counted = await knownCut(async () => cuts.shift() ?? known);
  t.match(counted, { cutWidthUs: 50, repeatedWidthsUs: [51, 900] });
  t.equal(counted.strays.length, 3, 'no false verdict is thrown away with its cut');
  t.equal(cuts.length, 1);
  const hopeless = await knownCut(async () => ({ ...known, cutWidthUs: 51 }));
  t.equal(hopeless.repeatedWidthsUs.length, 10);
});

t.test('an end that never moved', async (t) => {
  const { ends } = judge(trial, report({ watches: { host1: moves() } }));
  t.match(ends.host1, { cutToMovedUs: null, healToReturnedUs: null, otherMoves: 0 });
});

t.test('an end that a false verdict had moved before the cut is not one that never moved', (t) => {
  const watches = { host1: moves([500, kOther], [215_000, kHome]) };
  t.match(judge(trial, report({ watches })).ends.host1, { cutToMovedUs: null, awayBefore: true });
  const before = { ...moves([215_000, kHome]), moves: [{ atUs: 0, interface: kOther }] };
  const away = report({ watches: { host1: before } });
  t.match(judge(trial, away, { host1: kHome }).ends.host1, { awayBefore: true });
  t.match(judge(trial, report({})).ends.host1, { awayBefore: false });
  t.end();
});

t.test('a move that nothing called for is named, with the stall that it coincides with', (t) => {
  const watches = {
    host1: moves(
      [500, kOther],
      [700, kHome],
      [3500, kOther],
      [215_000, kHome],
      [300_000, kOther],
      [310_000, kHome],
    ),
  };
  const stalls = [{ core: 0, sinceUs: 298_000, lateUs: 1500 }];
  const { ends, strays } = judge(trial, report({ watches, stalls }));
  t.match(ends.host1, { cutToMovedUs: 2500, healToReturnedUs: 14_000, otherMoves: 4 });
  t.same(
    strays.map(({ after, atUs, lastedUs, stallUs }) => [after, atUs, lastedUs, stallUs]),
    [
      ['cut', -500, 200, null],
      ['heal', 99_000, 10_000, 1500],
    ],
  );
  t.end();
});

t.test('a return in the middle of the cut is a false verdict, not the switchback', async (t) => {
  const watches = { host1: moves([3500, kOther], [5000, kHome], [6000, kOther], [215_000, kHome]) };
  const { ends, strays } = judge(trial, report({ watches }));
  t.match(ends.host1, { cutToMovedUs: 2500, healToReturnedUs: 14_000, otherMoves: 2 });
  t.same(
    strays.map(({ atUs, lastedUs }) => [atUs, lastedUs]),
    [
      [4000, 1000],
      [5000, 209_000],
    ],
  );
});

t.test('a stream: its gap in the cut, its losses after the heal', async (t) => {
  const stream = {
    received: 1000,
    gaps: [
      [100, 900],
      [990, 3700],
      [250_000, 260_000],
    ] as [number, number][],
    losses: [
      { first: 10, count: 25, sentBeforeUs: 950, sentAfterUs: 3600 },
      { first: 50, count: 2, sentBeforeUs: 5000, sentAfterUs: 5300 },
      { first: 900, count: 3, sentBeforeUs: 215_000, sentAfterUs: 215_400 },
    ],
    late: [{ sequence: 901, atUs: 215_500 }],
    paths: [],
    journeyUs: null,
  };
  const { streams } = judge(trial, report({ streams: { s: stream } }));
  t.same(streams.s, { gapUs: 2710, lostAtSwitchback: 2, lateAtSwitchback: 1 });
});

t.test('TCP: the longest wait that overlaps the cut', async (t) => {
  const flow = (waits: [number, number][], sinceUs: number | null = null) =>
    judge(trial, report({ tcp: { flow: { waits, sinceUs, durationsUs: null } } })).tcp.flow;
  t.match(flow([[900, 14_000]]), { stallUs: 13_100, stallAtSwitchbackUs: 0 });
  t.match(flow([[300, 900]]), { stallUs: 0 }, 'what was over before the cut does not count');
  t.match(flow([[215_000, 217_000]]), { stallUs: 0, stallAtSwitchbackUs: 2000 });
  t.match(flow([], 1100), { stallUs: null }, 'an answer that never came is no figure');
  t.match(flow([], 399_000), { stallUs: 0 }, 'what began at the very end is no stall');
});

// Aim: a recommendation keeps its promise under its own model, gets longer when machine or network
// get worse, and says so when nothing will do. Pure figures; no clock, no chance.
import t from 'tap';
import {
  type Conditions,
  expect,
  fitTail,
  type Network,
  recommend,
} from '../../lib/bench/model.js';

/** Quantiles of a Pareto distribution with that index, from `least` up: the tail is known. */
const pareto = (count: number, least: number, index: number): number[] =>
  Array.from({ length: count }, (_, i) => least * ((i + 0.5) / count) ** -index);

/** The detector's silence without its tolerance. */
const detectionTimeUs = (intervalUs: number, failAfter: number) => intervalUs * failAfter;

const quietLan: Network = { delay: fitTail(pareto(500, 10, 0.1)), loss: 0 };
const conditions = (more: Partial<Conditions> = {}): Conditions => ({
  timers: fitTail(pareto(10_000, 20, 0.3)),
  networks: [quietLan],
  detectionTimeUs,
  ...more,
});

t.test('a tail: counted where it was measured, extrapolated beyond', async (t) => {
  const values = pareto(10_000, 20, 0.3);
  const tail = fitTail(values);
  t.equal(tail.beyond(0), 1);
  t.equal(tail.beyond(tail.median), 0.5);
  const far = 20 * 1e-6 ** -0.3; // one in a million, truly: a hundred times rarer than any value
  t.ok(tail.beyond(far) > 1e-6, `${tail.beyond(far)} is not too hopeful`);
  t.ok(tail.beyond(far) < 2e-5, `${tail.beyond(far)} is not absurd`);
  for (let x = 1; x < 1e6; x *= 1.5) t.ok(tail.beyond(x) >= tail.beyond(x * 1.5), `falls at ${x}`);
});

t.test('a tail never says less than was seen', async (t) => {
  const values = [...pareto(1000, 20, 0.1), 50_000, 50_000];
  t.ok(fitTail(values).beyond(40_000) >= 2 / 1002);
});

t.test('values that do not differ, or just one: no tail, no fault', async (t) => {
  t.equal(fitTail([7, 7, 7]).beyond(7), 0);
  t.equal(fitTail([7, 7, 7]).beyond(6), 1);
  t.equal(fitTail([0]).beyond(1), 0);
});

t.test('what to expect of a setting', async (t) => {
  const { detectUs, falsePerDay } = expect({ intervalUs: 10_000, failAfter: 3 }, conditions());
  t.same(detectUs, { mean: 25_000, max: 30_000 });
  t.ok(falsePerDay > 0);
  const longer = expect({ intervalUs: 20_000, failAfter: 3 }, conditions());
  t.ok(longer.falsePerDay < falsePerDay, 'more time to spare');
  const lossy = { ...quietLan, loss: 0.1 };
  const lost = expect({ intervalUs: 10_000, failAfter: 3 }, conditions({ networks: [lossy] }));
  // Three in a row, of 8,640,000 packets a day, at both ends.
  t.ok(lost.falsePerDay >= 0.1 ** 3 * 8_640_000 * 2 * 0.999, `${lost.falsePerDay} a day`);
});

t.test('the recommendation keeps to what is accepted, and is the quickest that does', async (t) => {
  const { best, choices } = recommend(conditions(), 1);
  t.ok(best);
  for (const choice of choices) t.ok(choice.falsePerDay <= 1);
  t.equal(best?.detectUs.max, Math.min(...choices.map(({ detectUs }) => detectUs.max)));
  t.same(
    choices.map(({ failAfter }) => failAfter),
    [2, 3, 4, 5],
  );
});

t.test('a worse machine, a worse LAN, a stricter promise: a longer detection time', async (t) => {
  const time = (c: Conditions, accepted = 1) => recommend(c, accepted).best?.detectUs.max ?? 0;
  const usual = time(conditions());
  t.ok(time(conditions({ timers: fitTail(pareto(10_000, 200, 0.3)) })) > usual, 'timers');
  const slow: Network = { delay: fitTail(pareto(500, 2000, 0.4)), loss: 0 };
  t.ok(time(conditions({ networks: [quietLan, slow] })) > usual, 'the worst LAN counts');
  t.ok(time(conditions(), 0.001) > usual, 'promise');
});

t.test('where half of all packets are lost nothing is recommended', async (t) => {
  const { best, choices } = recommend(conditions({ networks: [{ ...quietLan, loss: 0.5 }] }), 1);
  t.equal(best, null);
  t.same(choices, []);
});

// Aim: the bench's interval for a median has the ranks of the textbook, and is not moved by a few
// values that something else has spoilt.
import t from 'tap';
import { estimateMedian } from '../../bench/statistics.js';

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

t.test('forty values: ranks 14 and 27', async (t) => {
  t.same(estimateMedian(upTo(40).reverse()), { median: 20, low: 14, high: 27 });
});

t.test('spoilt values stay at the edge', async (t) => {
  const spoilt = upTo(40).map((value) => (value > 35 ? value * 1000 : value));
  t.same(estimateMedian(spoilt), { median: 20, low: 14, high: 27 });
});

t.test('of few values, their range', async (t) => {
  t.same(estimateMedian([3, -1, 2]), { median: 2, low: -1, high: 3 });
});

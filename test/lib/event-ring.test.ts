// Aim: the last events are kept in order, no more than there is room for, and it is said when that
// left some out.
import t from 'tap';

import { EventRing } from '../../lib/cluster/event-ring.js';
import type { FaildEvent } from '../../lib/cluster/events.js';

const at = (monotonicUs: number): FaildEvent => ({ kind: 'rejoined', at: '', monotonicUs });
const instants = (events: FaildEvent[]) => events.map(({ monotonicUs }) => monotonicUs);

t.test('what is kept, since when', async (t) => {
  const ring = new EventRing(3);
  t.same(ring.since(), { events: [], complete: true });
  ring.push(at(10));
  ring.push(at(20));
  t.same(instants(ring.since().events), [10, 20]);
  t.same(instants(ring.since(11).events), [20]);
  t.same(instants(ring.since(20).events), [20], 'the instant itself counts');
  t.equal(ring.since().complete, true);
});

t.test('the oldest make room, and are missed only by who asks for that time', async (t) => {
  const ring = new EventRing(3);
  for (const us of [10, 20, 30, 40, 50]) ring.push(at(us));
  t.same(instants(ring.since().events), [30, 40, 50]);
  t.equal(ring.since().complete, false);
  t.equal(ring.since(20).complete, false, 'the one of that instant is gone');
  t.equal(ring.since(21).complete, true);
});

t.test('events that are told late stay where they were told', async (t) => {
  const ring = new EventRing(2);
  for (const us of [50, 10, 60]) ring.push(at(us));
  t.same(instants(ring.since().events), [10, 60]);
  t.equal(ring.since(45).complete, false, 'the one of 50 had to go');
});

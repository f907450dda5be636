// Aim: a reader gets every event in order; one that is too slow loses the newest and is told how
// many, in their place.
import t from 'tap';
import { type FaildEvent, lostEvent } from '../../lib/cluster/events.js';
import { ReaderQueue } from '../../lib/cluster/reader-queue.js';

const clock = { wallMs: 0, monotonicUs: 0 };
const stalled = (lateUs: number): FaildEvent => ({
  kind: 'stalled',
  at: '',
  monotonicUs: 0,
  lateUs,
  count: 1,
});
const show = (event: FaildEvent): string =>
  event.kind === 'lost'
    ? `lost ${event.count}`
    : event.kind === 'stalled'
      ? `${event.lateUs}`
      : event.kind;

function makeQueue(
  capacity: number,
  onReturn: () => void = () => undefined,
): ReaderQueue<FaildEvent> {
  return new ReaderQueue<FaildEvent>(capacity, (count) => lostEvent(count, clock), onReturn);
}

async function readAll(queue: ReaderQueue<FaildEvent>): Promise<string[]> {
  const seen: string[] = [];
  for await (const event of queue) seen.push(show(event));
  return seen;
}

t.test('in order, before and after the reader waits', async (t) => {
  const queue = makeQueue(8);
  queue.push(stalled(1));
  const all = readAll(queue);
  await Promise.resolve();
  queue.push(stalled(2));
  queue.push(stalled(3));
  queue.end();
  t.same(await all, ['1', '2', '3']);
});

t.test('overflow: one `lost` with the count, where the events are missing', async (t) => {
  const queue = makeQueue(2);
  for (const at of [1, 2, 3, 4, 5]) queue.push(stalled(at));
  t.equal(show((await queue.next()).value), '1');
  queue.push(stalled(6));
  queue.end();
  t.same(await readAll(queue), ['2', 'lost 3', '6']);
});

t.test('overflow at the very end is told as well', async (t) => {
  const queue = makeQueue(1);
  for (const at of [1, 2, 3]) queue.push(stalled(at));
  queue.end();
  t.same(await readAll(queue), ['1', 'lost 2']);
});

t.test('several reads may wait at once', async (t) => {
  const queue = makeQueue(4);
  const waiting = [queue.next(), queue.next(), queue.next()];
  queue.push(stalled(1));
  queue.push(stalled(2));
  queue.end();
  const results = await Promise.all(waiting);
  t.same(
    results.map((result) => (result.done ? 'end' : show(result.value))),
    ['1', '2', 'end'],
  );
});

t.test('leaving the loop tells the owner and drops what is queued', async (t) => {
  let returned = 0;
  const queue = makeQueue(4, () => {
    returned += 1;
  });
  queue.push(stalled(1));
  queue.push(stalled(2));
  for await (const event of queue) {
    t.equal(show(event), '1');
    break;
  }
  t.equal(returned, 1);
  queue.push(stalled(3));
  t.same(await queue.next(), { done: true, value: undefined });
});

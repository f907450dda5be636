// Aim: all who listen share one tap: it watches what any of them wants, ends with the last, and
// what it could not hold or tell is counted, never waited for.
import { mock } from 'node:test';
import t, { type Test } from 'tap';
import type { Commands } from '../../lib/engine/commands.js';
import type { NativeProbeQuery, NativeTappedProbe } from '../../lib/engine/native.js';
import { isWanted, Tap } from '../../lib/engine/tap.js';

const probe = (sequence: number, more: Partial<NativeTappedProbe> = {}): NativeTappedProbe => ({
  ...{ atUs: 0, kind: 'inq', sent: false, sequence, lagUs: 0, urgent: false, unheard: false },
  ...{ refused: false, host: 'a', lan: 0, intervalUs: 1000, lostBefore: 0 },
  ...more,
});

/** An engine that does as it is told, and a clock of the test's. */
function makeTap(t: Test) {
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  const watched: (NativeProbeQuery | null)[] = [];
  const rooms: number[] = [];
  const world = { nowUs: 0, refuses: false, waiting: [] as NativeTappedProbe[] };
  const drainTap = (room: number) => {
    rooms.push(room);
    return world.waiting.splice(0).slice(0, room);
  };
  const run: Commands['run'] = async (command) => {
    if (world.refuses) throw new Error('EAGAIN');
    if (command.kind === 'tap') watched.push(command.watch);
    return undefined as never;
  };
  const tap = new Tap({ drainTap }, { run }, () => world.nowUs);
  const pass = (ms: number) => {
    world.nowUs += ms * 1000;
    mock.timers.tick(ms);
  };
  return { tap, watched, rooms, world, pass };
}

function makeListener() {
  const got: number[] = [];
  let ended = 0;
  return {
    got,
    ended: () => ended,
    take: (probes: readonly NativeTappedProbe[]) => {
      for (const { sequence, lostBefore } of probes) got.push(-lostBefore, sequence);
    },
    end: () => {
      ended += 1;
    },
  };
}

t.test('the watch is the union of what the listeners want', async (t) => {
  const { tap, watched } = makeTap(t);
  const leaveA = await tap.listen({ host: 'a', lan: 0 }, makeListener());
  const leaveAgain = await tap.listen({ host: 'a', lan: 0 }, makeListener());
  const leaveOn1 = await tap.listen({ host: 'a', lan: 1 }, makeListener());
  const leaveB = await tap.listen({ host: 'b', lan: 0 }, makeListener());
  for (const leave of [leaveOn1, leaveB, leaveA, leaveA, leaveAgain]) leave();
  t.same(watched, [
    { host: 'a', lan: 0 },
    { host: 'a', lan: null },
    { host: null, lan: null },
    { host: null, lan: 0 },
    { host: 'a', lan: 0 },
    null,
  ]);
  t.ok(isWanted({ host: 'a', lan: null }, probe(1, { host: null, lan: 1 })));
  t.notOk(isWanted({ host: 'a', lan: null }, probe(1, { host: 'b' })));
  t.notOk(isWanted({ host: null, lan: 0 }, probe(1, { lan: 1 })));
});

t.test('it is looked at every 5 ms while somebody listens', async (t) => {
  const { tap, rooms, world, pass } = makeTap(t);
  const one = makeListener();
  const leave = await tap.listen({ host: null, lan: null }, one);
  t.same(rooms, [0], 'what was left is thrown away');
  world.waiting = [probe(1, { lostBefore: 9 }), probe(2)];
  pass(4);
  t.same(one.got, []);
  pass(1);
  t.same(one.got, [-0, 1, -0, 2], 'what was lost before he came is none of his');
  world.waiting = [probe(3, { lostBefore: 4 })];
  pass(5);
  t.same(one.got.slice(4), [-4, 3]);
  leave();
  pass(50);
  t.equal(rooms.length, 3);
});

t.test('20,000 a second are told, and more than a ring of them never', async (t) => {
  const { tap, rooms, world, pass } = makeTap(t);
  await tap.listen({ host: null, lan: null }, makeListener());
  world.waiting = Array.from({ length: 8000 }, (_, at) => probe(at));
  pass(5);
  pass(5);
  t.same(rooms.slice(1), [8192, 292]);
  world.nowUs += 60e6;
  pass(5);
  t.equal(rooms.at(-1), 8192);
});

t.test('an engine that refuses is asked again by the next one; the end ends all', async (t) => {
  const { tap, watched, world, rooms, pass } = makeTap(t);
  world.refuses = true;
  await t.rejects(tap.listen({ host: null, lan: null }, makeListener()), { message: 'EAGAIN' });
  pass(20);
  t.same(rooms, [0], 'nobody listens');
  world.refuses = false;
  const one = makeListener();
  const leave = await tap.listen({ host: null, lan: null }, one);
  t.same(watched, [{ host: null, lan: null }]);
  tap.end();
  t.equal(one.ended(), 1);
  leave();
  pass(20);
  t.same([rooms.length, watched.length], [2, 1]);
});

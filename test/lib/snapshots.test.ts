// Aim: an engine whose thread hangs is told from one where all is well: what it said last is shown,
// with the word that it is old. (One of a real daemon hangs in test/lab/service.test.ts.)
import t from 'tap';

import { FaildError } from '../../lib/base/errors.js';
import type { NativeSnapshot } from '../../lib/engine/native.js';
import { Snapshots } from '../../lib/engine/snapshots.js';

const taken = (takenUs: number) => ({ takenUs }) as NativeSnapshot;

/** An engine that answers as it is told. */
function makeEngine() {
  const engine = {
    beats: 0,
    asked: 0,
    answer: async (): Promise<NativeSnapshot> => taken(1),
    heartbeatCount: () => engine.beats,
    snapshot: () => {
      engine.asked += 1;
      return engine.answer();
    },
  };
  const hang = async (): Promise<NativeSnapshot> => {
    throw new FaildError('ETIMEDOUT', "the engine's thread did not answer");
  };
  return { engine, hang };
}

t.test('whoever asks meanwhile shares the answer', async (t) => {
  const { engine } = makeEngine();
  const seen: number[] = [];
  const snapshots = new Snapshots(engine, ({ takenUs }) => seen.push(takenUs));
  const both = await Promise.all([snapshots.take(), snapshots.take()]);
  t.equal(both[0], both[1]);
  t.equal(engine.asked, 1);
  await snapshots.take();
  t.equal(engine.asked, 2);
  t.same(seen, [1, 1]);
});

t.test('a thread that hangs: the last copy, not alive', async (t) => {
  const { engine, hang } = makeEngine();
  const snapshots = new Snapshots(engine, () => {});
  engine.beats = 5;
  t.same(await snapshots.look(), { snapshot: taken(1), alive: true, heartbeats: 5 });
  engine.answer = hang;
  t.same(await snapshots.look(), { snapshot: taken(1), alive: false, heartbeats: 5 });
  engine.answer = async () => {
    engine.beats += 1; // it does its work, and only has not come to answer
    return hang();
  };
  t.same(await snapshots.look(), { snapshot: taken(1), alive: true, heartbeats: 6 });
  engine.answer = async () => taken(2);
  t.same(await snapshots.look(), { snapshot: taken(2), alive: true, heartbeats: 6 });
});

t.test('with nothing to show, or for another reason, it is an error', async (t) => {
  const { engine, hang } = makeEngine();
  const snapshots = new Snapshots(engine, () => {});
  engine.answer = hang;
  await t.rejects(snapshots.look(), { code: 'ETIMEDOUT' });
  engine.answer = async () => taken(1);
  await snapshots.look();
  engine.answer = async () => {
    throw new FaildError('ESTOPPED', 'stopped');
  };
  await t.rejects(snapshots.look(), { code: 'ESTOPPED' });
});

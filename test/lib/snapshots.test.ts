// Aim: an engine whose thread hangs is told from one where all is well: what it said last is shown,
// with the word that it is old; and nobody is shown the past for the present. (One of a real daemon
// hangs in test/lab/service.test.ts.)
import t from 'tap';

import { FaildError } from '../../lib/base/errors.js';
import type { NativeRuntimeConfig, NativeSnapshot } from '../../lib/engine/native.js';
import { type RawEngineClass, withSnapshots } from '../../lib/engine/native-engine.js';
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

/** A native engine that has its next answer ready as soon as it is asked, as a fast thread has. */
class ReadyEngine {
  table = 0;
  asked = 0;
  #ready: NativeSnapshot | null = null;

  requestSnapshot(): number {
    this.#ready = taken(this.table);
    return ++this.asked;
  }
  takeSnapshot(): NativeSnapshot | null {
    const ready = this.#ready;
    this.#ready = null;
    return ready;
  }
  drain(): { events: []; lost: number } {
    return { events: [], lost: 0 };
  }
  heartbeatCount(): number {
    return this.asked;
  }
}

function makeReady() {
  const made: { raw: ReadyEngine; ring: () => void }[] = [];
  class Raw extends ReadyEngine {
    constructor(_config: unknown, ring: () => void) {
      super();
      made.push({ raw: this, ring });
    }
  }
  const Engine = withSnapshots(Raw as unknown as RawEngineClass);
  const engine = new Engine({} as NativeRuntimeConfig, () => {});
  const [{ raw, ring }] = made as [(typeof made)[0]];
  return { engine, raw, ring };
}

// JavaScript was late: the copy under way was ready before the table changed, and is read after it.
t.test(
  'whoever asks after a change is shown what came of it, not the copy under way',
  async (t) => {
    const { engine, raw, ring } = makeReady();
    const seen: number[] = [];
    const snapshots = new Snapshots(engine, ({ takenUs }) => seen.push(takenUs));
    const before = snapshots.take();
    raw.table = 1;
    const after = [snapshots.take(), snapshots.take()];
    ring();
    ring();
    t.equal((await before).takenUs, 0);
    const [one, other] = await Promise.all(after);
    t.equal(one?.takenUs, 1);
    t.equal(other, one, 'those who wait share the next');
    t.equal(raw.asked, 2);
    t.same(seen, [0, 1], 'and each copy is shown once');
  },
);

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

// Aim: a command that the engine has done is never told as undone, however late JavaScript comes to
// read the answer; one that it does not answer is given up.
import t from 'tap';
import { Commands } from '../../lib/engine/commands.js';
import type { NativeEvent } from '../../lib/engine/native.js';

const answer = (id: number, error = 0) => ({ kind: 'answer', id, error }) as NativeEvent;

/** An engine that has its answers ready, if at all, before anybody reads them. */
function make() {
  const ready: NativeEvent[] = [];
  let id = 0;
  const commands = new Commands({ command: () => ++id }, () => commands.settle(ready.splice(0)));
  return { commands, ready };
}

t.test('an answer that was there when the time was over counts', async (t) => {
  const { commands, ready } = make();
  const done = commands.run({ kind: 'cleanup' }, 1);
  const refused = commands.run({ kind: 'cleanup' }, 1);
  ready.push(answer(1), answer(2, 16));
  t.match(await done, { id: 1 });
  await t.rejects(refused, { code: 'EBUSY' });
});

t.test("no answer is an error, and one that comes later is nobody's", async (t) => {
  const { commands } = make();
  await t.rejects(commands.run({ kind: 'cleanup' }, 1), { code: 'ETIMEDOUT' });
  commands.settle([answer(1)]);
});

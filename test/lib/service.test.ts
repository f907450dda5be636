// Aim: an idle engine is asked before it is called hung, and a hung one is said once. What a real
// manager hears of it: test/lab/service.test.ts.
import t from 'tap';

import { Service, type Voice } from '../../lib/daemon/service.js';

function listen() {
  const said: string[] = [];
  const voice: Voice = {
    info: (line) => said.push(`info: ${line}`),
    warn: (line) => said.push(`warn: ${line}`),
    error: (line) => said.push(`error: ${line}`),
  };
  return { said, voice };
}

/** An engine that sleeps until it is nudged; one that hangs sleeps on. */
function sleeper() {
  const engine = {
    rounds: 1,
    hangs: false,
    nudge() {
      if (!engine.hangs) engine.rounds += 1;
    },
    describe: async () => 'well',
  };
  return engine;
}

t.test('an idle engine does not hang', async (t) => {
  const { said, voice } = listen();
  const service = new Service({}, voice);
  const engine = sleeper();
  for (let look = 0; look < 100; look++) service.look(engine);
  t.same(said, []);
  t.ok(engine.rounds > 10);
});

t.test('one that makes no round in five looks does, and that is said once', async (t) => {
  const { said, voice } = listen();
  const service = new Service({}, voice);
  const engine = sleeper();
  service.look(engine);
  engine.hangs = true;
  for (let look = 0; look < 4; look++) service.look(engine);
  t.same(said, []);
  for (let look = 0; look < 20; look++) service.look(engine);
  t.same(said, ["error: the engine's thread hangs, nobody fails over: restart faild"]);
  engine.rounds += 1;
  service.look(engine);
  t.equal(said.at(-1), "info: the engine's thread goes round again");
});

t.test('a look that comes late says by how much', async (t) => {
  const env = { WATCHDOG_USEC: '80000', WATCHDOG_PID: String(process.pid) }; // a look every 10 ms
  const service = new Service(env, listen().voice);
  t.teardown(() => service.stopping());
  const late: number[] = [];
  const looked = new Promise<void>((resolve) => {
    service.watch(sleeper(), (us) => {
      late.push(us);
      if (late.length === 2) resolve();
    });
  });
  const until = performance.now() + 200;
  while (performance.now() < until);
  await looked;
  t.ok((late[0] ?? 0) >= 185_000, `${late[0]} us: the loop was blocked for 190 ms of it`);
  t.ok((late[1] ?? -1) >= 0 && (late[1] ?? 0) < (late[0] ?? 0), `${late[1]} us: and not again`);
});

t.test(
  "the manager's variables are not for children; a deaf one is complained of once",
  async (t) => {
    const { said, voice } = listen();
    const env = {
      NOTIFY_SOCKET: '@faild-test-nobody',
      WATCHDOG_USEC: '1000',
      WATCHDOG_PID: '1',
      A: 'b',
    };
    const service = new Service(env, voice);
    t.same(env, { A: 'b' });
    service.ready();
    service.ready();
    t.match(said, [/^warn: .*@faild-test-nobody cannot be told 'READY=1': ECONNREFUSED$/]);
  },
);

t.test("a watchdog that is another process's is not fed", async (t) => {
  const { said, voice } = listen();
  const env = { NOTIFY_SOCKET: '@faild-test-nobody', WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' };
  const service = new Service(env, voice);
  const engine = sleeper();
  engine.describe = () => Promise.reject(new Error('not now'));
  service.look(engine);
  t.same(said, []);
});

// Aim: an environment may end at any moment while engines run in it (worker.terminate(),
// process.exit(), garbage collection), and an exception in onWake is an ordinary uncaught one. See
// native/addon/bell.h for what would go wrong.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { startEngine } from './fast-engine.js';
import { namespacesRefused, TwoHosts } from './support.js';

const skip = namespacesRefused() ?? false;

/** For one worker to start and end: 0.2 s, and ten times that on a busy machine. */
const kWorkerMs = 30_000;
t.setTimeout(600_000);
const fastEngine = fileURLToPath(new URL('./fast-engine.js', import.meta.url));

function runsInChild(code: string, space: string) {
  const script = `import { startEngine } from ${JSON.stringify(fastEngine)};\n${code}`;
  const args = ['--expose-gc', '--input-type=module', '-e', script];
  const env = { ...process.env, FAILD_TEST_SPACE: space };
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: 20_000,
    env,
  });
  return { status, signal, stdout, stderr };
}

await t.test('100 workers are terminated while their engines run', { skip }, async (t) => {
  const hosts = new TwoHosts('worker');
  t.teardown(() => hosts.remove());
  const other = startEngine(2, hosts.path(2));
  t.teardown(() => other.stop(false));
  for (let round = 0; round < 100; round++) {
    t.setTimeout(kWorkerMs); // from now on
    const worker = new Worker(fastEngine, {
      workerData: { space: hosts.path(1) },
      execArgv: [], // none of the test runner's loaders: a hundred times a second each
    });
    await new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('error', reject);
    });
    await worker.terminate();
  }
  t.equal((await other.snapshot()).peers.length, 1, 'the engine of this thread lives on');
});

await t.test('processes with a running engine end well', { skip }, async (t) => {
  const hosts = new TwoHosts('exit');
  t.teardown(() => hosts.remove());
  const space = hosts.path(1);
  const start = (more = '') => `startEngine(1, process.env.FAILD_TEST_SPACE${more});`;
  t.match(runsInChild(start(), space), { status: 0, stderr: '' }, 'the end of the script ends it');
  const exits = runsInChild(`${start()} process.exit(7);`, space);
  t.match(exits, { status: 7, stderr: '' }, 'process.exit');
  const collected = `${start()}
      await new Promise((resolve) => setTimeout(resolve, 50));
      const { readdirSync } = await import('node:fs');
      const threads = () => readdirSync('/proc/self/task').length;
      const before = threads();
      for (let i = 0; i < 20 && threads() >= before; i++) {
        globalThis.gc();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      console.log(threads() < before ? 'stopped' : 'runs');`;
  t.match(runsInChild(collected, space), { status: 0, stdout: 'stopped\n' }, 'garbage collection');
  const thrown = runsInChild(
    `process.on('uncaughtException', (error) => { console.log(error.message); process.exit(3); });
      setTimeout(() => {}, 5000);
      ${start(", () => { throw new Error('from onWake'); }")}
      startEngine(2, process.env.FAILD_TEST_SPACE.replace(/1$/, '2'));`,
    space,
  );
  t.match(thrown, { status: 3, stdout: 'from onWake\n' }, 'an exception in onWake');
});

// Aim: a hook gets the events that it asked for, in order, with nothing of the daemon's around it;
// one that fails, floods, hangs or leaves processes behind harms nobody, and the log says so.
import { fork } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

import type { EventKind, FaildEvent } from '../../lib/cluster/events.js';
import type { Hook } from '../../lib/config/hook-kind.js';
import { Hooks } from '../../lib/journal/hooks.js';

interface Said {
  level: 'info' | 'warn';
  line: string;
  fields: { output?: string; lost?: number };
}

const event = (count: number, kind: EventKind = 'adopted') =>
  ({ kind, at: '2026-01-01T00:00:00.000Z', monotonicUs: 0, count }) as FaildEvent;

/** Hooks that end with the test, and what they say. */
function open(t: Test): { hooks: Hooks; said: Said[] } {
  const said: Said[] = [];
  const hooks = new Hooks({
    info: (line, fields = {}) => said.push({ level: 'info', line, fields }),
    warn: (line, fields = {}) => said.push({ level: 'warn', line, fields }),
  });
  t.teardown(() => hooks.close());
  return { hooks, said };
}

/** A hook that runs this shell script with its directory as $1. */
function script(t: Test, text: string, more: Partial<Hook> = {}): { hook: Hook; dir: string } {
  const dir = t.testdir();
  const file = join(dir, 'hook');
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return { dir, hook: { run: [file, dir], on: ['adopted'], timeoutS: 30, ...more } };
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (const endMs = Date.now() + 30_000; !holds(); ) {
    if (Date.now() > endMs) throw new Error(`not within 30 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const textOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');
const linesOf = (path: string) => textOf(path).split('\n').slice(0, -1);

function isAlive(pid: number): boolean {
  // One that has ended and waits for its parent is as good as gone.
  return !/^$|\) Z /.test(textOf(`/proc/${pid}/stat`));
}

t.test('it gets its events as JSON, in order, and nothing else of ours', async (t) => {
  const { hooks, said } = open(t);
  process.env.FAILD_SECRET = 'not for hooks';
  t.teardown(() => delete process.env.FAILD_SECRET);
  const { hook, dir } = script(
    t,
    'cat >> "$1/events"; env -0 > "$1/env"; pwd > "$1/cwd"; echo >> "$1/ended"',
  );
  hooks.use([hook]);
  for (let count = 0; count < 20; count++) {
    hooks.note(event(count));
    hooks.note(event(count, 'isolated'));
  }
  await until(() => linesOf(`${dir}/ended`).length === 20, 'all events have come');
  const seen = linesOf(`${dir}/events`).map((line) => JSON.parse(line) as { count: number });
  t.same(
    seen,
    Array.from({ length: 20 }, (_, count) => event(count)),
  );
  const set = textOf(`${dir}/env`).split('\0').slice(0, -1);
  const names = set.map((each) => each.split('=', 1)[0]);
  // The shell's, and what the test's own runner gives to every process.
  const others = /^(PWD|OLDPWD|SHLVL|_|NODE_OPTIONS|_TAPJS_.*)$/;
  const own = names.filter((name = '') => !others.test(name)).sort();
  t.same(own, ['FAILD_EVENT', 'LANG', 'PATH']);
  t.ok(set.includes('FAILD_EVENT=adopted'));
  t.equal(textOf(`${dir}/cwd`), '/\n');
  t.same(said, []);
});

t.test('what it says is in the log, bounded; so is how it failed', async (t) => {
  const { hooks, said } = open(t);
  const { hook } = script(t, 'echo hello; head -c 100000 /dev/zero | tr "\\0" x >&2; exit 3');
  hooks.use([hook]);
  hooks.note(event(1));
  await until(() => said.length > 0, 'it is told');
  t.match(said, [{ level: 'warn', line: /^hooks: \/.*\/hook on adopted ended with status 3$/ }]);
  const { output = '' } = said[0]?.fields ?? {};
  t.match(output, 'hello');
  t.equal(output.length, 2000);

  const fine = script(t, 'echo done').hook;
  hooks.use([fine]);
  hooks.note(event(2));
  await until(() => said.length > 1, 'it is told');
  t.match(said[1], { level: 'info', line: / on adopted says$/, fields: { output: 'done' } });
});

t.test(
  'one that takes too long is ended with all of its group; the next event comes',
  async (t) => {
    const { hooks, said } = open(t);
    const text = `read line; case "$line" in *'"count":1}'*) ;; *) echo "$line" > "$1/next"; exit;; esac
    trap '' TERM; sh -c 'trap "" TERM; sleep 100; sleep 100' & echo $! > "$1/child"; echo $$ > "$1/self"
    while :; do sleep 100; done`;
    const { hook, dir } = script(t, text, { timeoutS: 2 });
    hooks.use([hook]);
    hooks.note(event(1));
    hooks.note(event(2));
    await until(() => textOf(`${dir}/next`) !== '', 'the next event is handed over');
    t.match(said, [{ level: 'warn', line: /took longer than 2 s and was ended$/ }]);
    for (const name of ['self', 'child']) {
      await until(() => !isAlive(Number(textOf(`${dir}/${name}`))), `${name} is gone`);
    }
  },
);

t.test('what it leaves behind goes with it, and cannot hold it up', async (t) => {
  const { hooks, said } = open(t);
  const leaves = `sh -c 'echo $$ > "$1"; exec sleep 300' sh "$1/gone.$$"`;
  const { hook, dir } = script(
    t,
    `sleep 300 & echo $! > "$1/child"
    setsid ${leaves} & until test -s "$1/gone.$$"; do sleep 0.01; done
    echo >> "$1/runs"`,
  );
  const gone = () => {
    const names = readdirSync(dir).filter((name) => name.startsWith('gone.'));
    return names.map((name) => Number(textOf(join(dir, name))));
  };
  t.teardown(() => gone().forEach((pid) => void process.kill(pid, 'SIGKILL')));
  hooks.use([hook]);
  for (const count of [1, 2]) hooks.note(event(count));
  await until(() => linesOf(`${dir}/runs`).length === 2, 'both have run');
  t.same(gone().map(isAlive), [true, true], 'who has left the group is not waited for');
  await until(() => !isAlive(Number(textOf(`${dir}/child`))), 'the child is gone');
  t.same(said, []);
});

t.test('a flood: what does not fit is counted, nothing waits for it', async (t) => {
  const { hooks, said } = open(t);
  const { hook, dir } = script(
    t,
    'echo >> "$1/runs"; while test ! -e "$1/go"; do sleep 0.01; done',
  );
  hooks.use([hook]);
  const many = 5000;
  for (let count = 0; count < many; count++) hooks.note(event(count));
  t.ok(linesOf(`${dir}/runs`).length <= 1, `${many} events are taken while the first waits`);
  writeFileSync(join(dir, 'go'), '');
  await until(() => said.length === 2, 'the loss is told');
  t.match(said[0], { level: 'warn', line: /^hooks: events come faster than hooks end/ });
  const lost = said[1]?.fields.lost ?? 0;
  t.equal(said[1]?.line, `hooks: ${lost} events were not handed over`);
  await until(() => linesOf(`${dir}/runs`).length === many - lost, 'the rest was run');
  t.equal(many - lost, 512);
});

t.test('a program that is not there is told at once, and when it is needed', async (t) => {
  const { hooks, said } = open(t);
  hooks.use([{ run: ['/no/such/program'], on: ['adopted'], timeoutS: 1 }]);
  await until(() => said.length === 1, 'at once');
  t.equal(said[0]?.line, 'hooks: /no/such/program is not there, or may not be run');
  hooks.note(event(1));
  await until(() => said.length === 2, 'when it is needed');
  t.match(said[1]?.line, /^hooks: \/no\/such\/program on adopted cannot be run: .*ENOENT/);
});

t.test('their process dies: it is said, and there is another', async (t) => {
  const { hooks, said } = open(t);
  // The runner is the parent of what it runs.
  const { hook, dir } = script(t, 'echo $PPID >> "$1/parents"');
  hooks.use([hook]);
  hooks.note(event(1));
  await until(() => linesOf(`${dir}/parents`).length === 1, 'the first has run');
  process.kill(Number(linesOf(`${dir}/parents`)[0]), 'SIGKILL');
  await until(() => said.length > 0, 'its end is told');
  t.match(said[0]?.line, /^hooks: their process has ended; \d events went with it$/);
  await until(() => {
    hooks.note(event(2));
    return linesOf(`${dir}/parents`).length > 1;
  }, 'another runs the next');
});

t.test('at the end nothing is left running', async (t) => {
  const { hooks } = open(t);
  const { hook, dir } = script(t, 'trap "" TERM; echo $$ > "$1/self"; while :; do sleep 1; done');
  hooks.use([hook]);
  hooks.note(event(1));
  await until(() => textOf(`${dir}/self`).endsWith('\n'), 'it runs');
  hooks.close();
  await until(() => !isAlive(Number(textOf(`${dir}/self`))), 'it is gone');
});

// As Node does with a channel whose other end has closed and has not said so yet.
const refusing = `import { writeFileSync } from 'node:fs';
process.send = (...args) => {
  writeFileSync(process.env.TOLD, '');
  const error = new Error('write EPIPE');
  const told = args.at(-1);
  process.nextTick(() => typeof told === 'function' ? told(error) : process.emit('error', error));
  return false;
}`;

t.test('the daemon dies while a hook tells its end: the others are ended', async (t) => {
  const program = fileURLToPath(new URL('../../lib/journal/hook-runner.js', import.meta.url));
  const execArgv = ['--import', `data:text/javascript,${encodeURIComponent(refusing)}`];
  const { hook, dir } = script(t, 'trap "" TERM; echo $$ > "$1/self"; while :; do sleep 1; done');
  const env = { ...process.env, TOLD: `${dir}/told` };
  const runner = fork(program, [], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv, env });
  t.teardown(() => runner.kill('SIGKILL'));
  const job = { timeoutS: 300, kind: 'adopted', input: '{}' };
  runner.send({ ...job, run: hook.run });
  await until(() => textOf(`${dir}/self`).endsWith('\n'), 'it runs');
  runner.send({ ...job, run: ['/bin/true'] });
  await until(() => existsSync(`${dir}/told`), 'the other has ended');
  if (runner.connected) runner.disconnect();
  const pid = Number(textOf(`${dir}/self`));
  t.teardown(() => void (isAlive(pid) && process.kill(pid, 'SIGKILL')));
  await until(() => !isAlive(pid), 'it is gone');
});

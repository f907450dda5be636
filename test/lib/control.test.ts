// Aim: the control socket answers what it should, refuses the rest as JSON, and tells a living
// daemon from a dead one.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { type ControlTarget, openControl } from '../../lib/control.js';
import { askReload, fetchStatus, followEvents, isAnswered } from '../../lib/control-client.js';
import { ConfigFaults, FaildError } from '../../lib/errors.js';
import { EventQueue } from '../../lib/event-queue.js';
import { type FaildEvent, lostEvent } from '../../lib/events.js';
import type { ReloadAnswer } from '../../lib/reload.js';
import type { Status } from '../../lib/status.js';

const status = { schema: 'faild.status/1', peers: [] } as unknown as Status;
const reloaded: ReloadAnswer = {
  schema: 'faild.reload/1',
  file: '/etc/faild/faild.yaml',
  changes: [{ key: 'hold-time', from: '0s', to: '30s', outcome: 'applied' }],
  warnings: [],
};
const stalled: FaildEvent = { kind: 'stalled', at: '', monotonicUs: 0, lateUs: 7, count: 1 };

/** A socket's path may have 107 bytes only; a fixture's directory has more. */
function shortDir(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'faild-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  return dir;
}

function makeTarget(): ControlTarget & { queues: Set<EventQueue> } {
  const queues = new Set<EventQueue>();
  return {
    queues,
    status: async () => status,
    reload: async () => reloaded,
    events() {
      const lost = (count: number) => lostEvent(count, { wallMs: 0, monotonicUs: 0 });
      const queue = new EventQueue(16, lost, (gone) => queues.delete(gone));
      queue.push(stalled);
      queues.add(queue);
      return queue;
    },
  };
}

function ask(socketPath: string, path: string, method = 'GET'): Promise<[number, string, unknown]> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path, method, agent: false }, async (response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve([response.statusCode ?? 0, response.headers['content-type'] ?? '', JSON.parse(body)]);
    })
      .once('error', reject)
      .end();
  });
}

t.test('status, and errors as JSON', async (t) => {
  const path = join(shortDir(t), 'run', 'faild.sock');
  const control = await openControl(path);
  t.teardown(() => control.close());
  t.equal(statSync(path).mode & 0o777, 0o660);
  t.match(await ask(path, '/v1/status'), [503, 'application/json', { error: /^starting/ }]);
  control.attach(makeTarget());
  t.match(await ask(path, '/v1/status'), [200, 'application/json', status]);
  t.same(await fetchStatus(path), status);
  t.match(await ask(path, '/v2/x?y'), [
    404,
    'application/json',
    { error: /^there is no \/v2\/x; there are/ },
  ]);
  t.match(await ask(path, '/v1/status', 'DELETE'), [
    405,
    'application/json',
    { error: /use GET$/ },
  ]);
});

t.test('reload: the answer, all faults, or why not', async (t) => {
  const path = join(shortDir(t), 'faild.sock');
  const control = await openControl(path);
  t.teardown(() => control.close());
  const target = makeTarget();
  control.attach(target);
  t.same(await askReload(path), reloaded);
  t.match(await ask(path, '/v1/reload'), [405, 'application/json', { error: /use POST$/ }]);

  const faults = [
    { place: 'faild.yaml:1:1', message: 'one' },
    { place: 'faild.yaml:2:1', message: 'other' },
  ];
  target.reload = async () => {
    throw new ConfigFaults(faults);
  };
  t.match(await ask(path, '/v1/reload', 'POST'), [422, 'application/json', { faults }]);
  await t.rejects(askReload(path), { code: 'EINVAL', exitStatus: 2, faults });

  target.reload = async () => {
    throw new FaildError('EBADPLAN', 'plan refused');
  };
  const message = /^the daemon on .* says: plan refused$/;
  await t.rejects(askReload(path), { code: 'EDAEMON', exitStatus: 1, message });
});

t.test('events are streamed; a reader that leaves is let go', async (t) => {
  const path = join(shortDir(t), 'faild.sock');
  const control = await openControl(path);
  t.teardown(() => control.close());
  const target = makeTarget();
  control.attach(target);
  const stream = followEvents(path);
  t.same((await stream.next()).value, stalled);
  const [queue] = target.queues;
  queue?.push({ ...stalled, lateUs: 8 });
  t.match((await stream.next()).value, { lateUs: 8 });
  const gone = new Promise((resolve) => {
    const original = target.queues.delete.bind(target.queues);
    target.queues.delete = (value) => {
      resolve(undefined);
      return original(value);
    };
  });
  await stream.return(undefined);
  await gone;
  t.equal(target.queues.size, 0);
});

t.test('a living daemon is not replaced', async (t) => {
  const path = join(shortDir(t), 'faild.sock');
  const control = await openControl(path);
  await t.rejects(openControl(path), {
    code: 'EALREADY',
    message: /^already running: a daemon answers on /,
  });
  t.equal(await isAnswered(path), true);
  await control.close();
  t.equal(await isAnswered(path), false);
  t.equal(existsSync(path), false);
});

t.test('the socket of a dead daemon is replaced', async (t) => {
  const path = join(shortDir(t), 'faild.sock');
  const dying =
    `require('net').createServer().listen(${JSON.stringify(path)}, () => ` +
    `process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', dying]);
  t.ok(statSync(path).isSocket());
  t.equal(await isAnswered(path), false);
  const control = await openControl(path);
  t.equal(await isAnswered(path), true);
  await control.close();
});

t.test('what is not a socket is never removed', async (t) => {
  const path = join(shortDir(t), 'precious');
  writeFileSync(path, 'data');
  await t.rejects(openControl(path), { code: 'ENOTSOCK' });
  t.ok(existsSync(path));
});

t.test('nobody there: one line that says how to start one, exit status 3', async (t) => {
  const path = join(shortDir(t), 'none.sock');
  await t.rejects(fetchStatus(path), {
    code: 'ENODAEMON',
    exitStatus: 3,
    message:
      /^no daemon answers on .*: start one with 'sudo faild -r', or name its socket with --socket$/,
  });
});

// Aim: the control sockets answer what they should, refuse the rest as JSON, let only the owner
// act, and tell a living daemon from a dead one.

import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ConfigFaults, FaildError } from '../../lib/base/errors.js';
import { answerCut, type CutAnswer, checkCut } from '../../lib/cluster/cuts.js';
import { type FaildEvent, lostEvent } from '../../lib/cluster/events.js';
import { answerHostDrain, toldWithinMs } from '../../lib/cluster/host-drain.js';
import { answerMove, checkScope } from '../../lib/cluster/moves.js';
import { ReaderQueue } from '../../lib/cluster/reader-queue.js';
import {
  actPatienceMs,
  askReload,
  askToAct,
  fetchAnswer,
  fetchStatus,
  followEvents,
  followProbes,
  followRoundTrips,
  isAnswered,
} from '../../lib/control/client.js';
import type { Reloaded } from '../../lib/control/reload.js';
import type { ControlTarget } from '../../lib/control/routes.js';
import { openControl } from '../../lib/control/server.js';
import { breaches } from '../schemas.js';
import { sketch } from './statuses.js';

const status = sketch({ web1: { A: 'up', B: 'up' }, web2: { A: 'up', B: 'down' } });
const reloaded: Reloaded = {
  file: '/etc/faild/faild.yaml',
  changes: [{ key: 'hold-time', from: '0s', to: '30s', outcome: 'applied' }],
  warnings: [],
};
const stalled: FaildEvent = { kind: 'stalled', at: '', monotonicUs: 0, lateUs: 7, count: 1 };

const probe = { atUs: 1000, kind: 'inq' as const, sent: false, sequence: 5, lagUs: 3 };
const ring = {
  intervalUs: 10_000,
  verdictUs: null,
  probes: [{ ...probe, urgent: false, unheard: false, refused: false }],
};

/** A socket's path may have 101 bytes only; a fixture's directory has more. */
function shortDir(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'faild-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  return dir;
}

function makeTarget() {
  const queues = new Set<ReaderQueue<FaildEvent>>();
  const sinces: (number | undefined)[] = [];
  const orders: string[] = [];
  let gone = 0;
  const target: ControlTarget = {
    status: async () => status,
    reload: async () => reloaded,
    async *roundTrips(peer, lan) {
      if (peer !== 'host2' || lan !== 'A') throw new FaildError('ENOENT', 'no such path');
      for (const roundTripUs of [31.5, null]) yield { roundTripUs };
      await new Promise(() => {}); // until the listener goes
    },
    probes: async ({ host, lan }) => ({
      taken: {
        takenUs: 2000,
        recordings: host === null ? [] : [{ ...ring, host, lan: lan ?? 0 }],
        leftOut: 0,
      },
      now: { wallMs: 0, monotonicUs: 2000 },
    }),
    async *followProbes(scope, signal) {
      yield { more: 3, lan: scope.lan ?? 'A', peer: null };
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      gone += 1;
    },
    recentEvents: async ({ since }) => ({ events: [stalled], complete: since !== undefined }),
    explainFacts: () => ({ networkNamespace: null, namespaceId: '7' }),
    metrics: async () => 'faild_peers 2\n',
    failover: async (scope) => {
      checkScope(status, scope);
      return answerMove('failover', status, scope);
    },
    switchback: async (scope) => answerMove('switchback', status, scope),
    drain: async (lan) => answerMove('drain', status, { lan, peer: null }),
    undrain: async (lan) => answerMove('undrain', status, { lan, peer: null }),
    drainHost: async () => answerHostDrain('drain-host', status),
    undrainHost: async () => answerHostDrain('undrain-host', status),
    cut: async ({ lan, direction, seconds }) => {
      orders.push(`${direction} for ${seconds} s`);
      checkCut(status, lan, null);
      return answerCut(status, lan, 77);
    },
    heal: async (lan) => answerCut(status, lan, 78),
    events({ since }) {
      sinces.push(since);
      const lost = (count: number) => lostEvent(count, { wallMs: 0, monotonicUs: 0 });
      const queue = new ReaderQueue<FaildEvent>(16, lost, (gone) => queues.delete(gone));
      queue.push(stalled);
      queues.add(queue);
      return queue;
    },
  };
  return Object.assign(target, { queues, sinces, orders, gone: () => gone });
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
  t.equal(statSync(`${path}.admin`).mode & 0o777, 0o600);
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
  t.match(await askReload(path), {
    schema: 'faild.reload/1',
    engine: { alive: true },
    ...reloaded,
  });
  t.match(await ask(path, '/v1/reload'), [405, 'application/json', { error: /use POST$/ }]);
  const admin = `${path}.admin`;

  const faults = [
    { place: 'faild.yaml:1:1', message: 'one' },
    { place: 'faild.yaml:2:1', message: 'other' },
  ];
  target.reload = async () => {
    throw new ConfigFaults(faults);
  };
  t.match(await ask(admin, '/v1/reload', 'POST'), [422, 'application/json', { faults }]);
  await t.rejects(askReload(path), { code: 'EINVAL', exitStatus: 2, faults });

  target.reload = async () => {
    throw new FaildError('EBADPLAN', 'plan refused');
  };
  const message = /^the daemon on .* says: plan refused$/;
  await t.rejects(askReload(path), { code: 'EDAEMON', exitStatus: 1, message });
});

t.test('who may not act is told so, and what he asked for is not done', async (t) => {
  const path = join(shortDir(t), 'faild.sock');
  const control = await openControl(path);
  t.teardown(() => control.close());
  const target = makeTarget();
  let done = 0;
  target.reload = async () => {
    done += 1;
    return reloaded;
  };
  control.attach(target);
  for (const act of [
    'reload',
    'failover?lan=A',
    'switchback?lan=A',
    'drain?lan=A',
    'undrain?lan=A',
    'drain-host',
    'undrain-host',
    'heal?lan=A',
  ]) {
    const refused = await ask(path, `/v1/${act}`, 'POST');
    t.match(refused, [403, 'application/json', { error: /^only the daemon's owner/ }], act);
    t.match(await ask(`${path}.admin`, `/v1/${act}`, 'POST'), [200], act);
  }
  t.equal(done, 1);
  t.match(await ask(`${path}.admin`, '/v1/status'), [200], 'the owner may look there as well');
});

t.test('a LAN is cut as ordered, and not where traffic could not move', async (t) => {
  const path = join(shortDir(t), 'faild.sock');
  const control = await openControl(path);
  t.teardown(() => control.close());
  const target = makeTarget();
  control.attach(target);
  const cut = (query: Record<string, string>) => askToAct<CutAnswer>(path, '/v1/cut', query);
  const order = { lan: 'A', direction: 'out', for: '1.5s' };
  const stranded = /says: not now: web2 is up on no other LAN: its traffic could not move$/;
  await t.rejects(cut(order), { code: 'EDAEMON', exitStatus: 1, message: stranded });
  t.same(target.orders, ['out for 1.5 s']);
  await t.rejects(cut({ ...order, direction: 'up' }), {
    exitStatus: 2,
    message: /in, out or both$/,
  });
  await t.rejects(cut({ ...order, for: '2' }), {
    exitStatus: 2,
    message: /no duration, such as 2s$/,
  });
  const healed = await askToAct<CutAnswer>(path, '/v1/heal', { lan: 'A' });
  t.match(healed, { schema: 'faild.cut/1', lan: 'A', atUs: 78 });
});

t.test('the kernel keeps strangers out', async (t) => {
  if (process.getuid?.() !== 0) return void t.comment('not root: no stranger to be had');
  const dir = shortDir(t);
  chmodSync(dir, 0o755);
  const path = join(dir, 'faild.sock');
  const control = await openControl(path);
  t.teardown(() => control.close());
  // In a program of its own, since no test may give up its own rights.
  const knock = (gid: number, socket: string): string => {
    const code =
      `require('net').connect(${JSON.stringify(socket)})` +
      `.on('connect', function () { console.log('in'); this.destroy(); })` +
      `.on('error', (error) => console.log(error.code))`;
    return spawnSync(process.execPath, ['-e', code], { uid: 65534, gid }).stdout.toString().trim();
  };
  const group = statSync(path).gid;
  t.equal(knock(group, path), 'in', 'the group may look');
  t.equal(knock(group, `${path}.admin`), 'EACCES', 'and not act');
  t.equal(knock(65534, path), 'EACCES', 'others may neither');
  t.equal(knock(65534, `${path}.admin`), 'EACCES');
});

t.test('what may be asked, and how', async (t) => {
  const path = join(shortDir(t), 'faild.sock');
  const control = await openControl(path);
  t.teardown(() => control.close());
  control.attach(makeTarget());
  const head = { ageUs: 120, engine: { alive: true, heartbeats: 9 }, host: { name: 'we' } };
  t.match(await fetchAnswer(path, '/v1/peers'), { ...head, schema: 'faild.peers/1' });
  t.match(await fetchAnswer(path, '/v1/paths', { peer: 'web2' }), {
    ...head,
    schema: 'faild.paths/1',
    paths: [{ peer: { name: 'web2' } }, { peer: { name: 'web2' } }],
  });
  t.match(await fetchAnswer(path, '/v1/explain', { peer: 'web1' }), {
    ...head,
    schema: 'faild.explain/1',
    network: { namespaceId: '7' },
    paths: [{ lan: { name: 'A' }, probes: [{ atUs: -1000, sequence: 5 }] }, { probes: [] }],
  });
  t.match(await fetchAnswer(path, '/v1/probes/recent', { peer: 'web2', lan: 'B' }), {
    ...head,
    schema: 'faild.probes/1',
    complete: true,
    probes: [{ at: '1969-12-31T23:59:59.999000Z', lan: 'B', peer: { name: 'web2' }, sequence: 5 }],
  });
  const recent = { ...head, schema: 'faild.events/1', events: [stalled] };
  t.match(await fetchAnswer(path, '/v1/events/recent'), { ...recent, complete: false });
  t.match(await fetchAnswer(path, '/v1/events/recent', { since: '5min' }), {
    ...recent,
    complete: true,
  });
  t.match(await askToAct(path, '/v1/failover', { lan: 'A', peer: 'web1' }), {
    ...head,
    schema: 'faild.move/1',
    peer: { name: 'web1' },
  });
  const bad: [string, number, RegExp][] = [
    ['/v1/paths?pear=web1', 400, /^'pear' is not asked here; there are peer$/],
    ['/v1/explain', 400, /^say which: \?peer=\.\.\.$/],
    ['/v1/paths?peer=web9', 404, /^there is no peer 'web9'/],
    ['/v1/explain?peer=web9', 404, /^there is no peer 'web9'; there are: web1, web2$/],
    ['/v1/probes/recent?lan=Z', 404, /^there is no LAN 'Z'/],
    ['/v1/events?since=yesterday', 400, /^since: 'yesterday' is no duration/],
  ];
  for (const [question, code, error] of bad) {
    t.match(await ask(path, question), [code, 'application/json', { error }], question);
  }
  await t.rejects(askToAct(path, '/v1/failover', { lan: 'Z' }), {
    code: 'EDAEMON',
    exitStatus: 2,
  });
  const metrics = await new Promise((resolve) => {
    request({ socketPath: path, path: '/metrics', agent: false }, async (response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve([response.headers['content-type'], body]);
    }).end();
  });
  t.same(metrics, ['text/plain; version=0.0.4; charset=utf-8', 'faild_peers 2\n']);
});

t.test('every answer is what its schema promises', async (t) => {
  const path = join(shortDir(t), 'faild.sock');
  const control = await openControl(path);
  t.teardown(() => control.close());
  control.attach(makeTarget());
  const asked = ['status', 'peers', 'paths', 'explain?peer=web1', 'events/recent', 'probes/recent'];
  const told = ['reload', 'failover?lan=A', 'undrain?lan=A', 'heal?lan=A'];
  for (const [method, questions] of [
    ['GET', asked],
    ['POST', told],
  ] as const) {
    for (const question of questions) {
      const [code, , answer] = await ask(`${path}.admin`, `/v1/${question}`, method);
      t.equal(code, 200);
      t.same(breaches(answer as { schema: string }), [], question);
    }
  }
  const wrong = { ...status, host: { id: 7 }, more: 1 };
  t.match(breaches(wrong), [/additional/, /^\/host must have required/]);
});

t.test('events are streamed; a reader that leaves is let go', async (t) => {
  const path = join(shortDir(t), 'faild.sock');
  const control = await openControl(path);
  t.teardown(() => control.close());
  const target = makeTarget();
  control.attach(target);
  const stream = followEvents(path);
  t.same((await stream.next()).value, stalled);
  t.same(target.sinces, [undefined]);
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

t.test('curl reads events, byte for byte as an EventSource wants them', async (t) => {
  const path = join(shortDir(t), 'faild.sock');
  const control = await openControl(path);
  t.teardown(() => control.close());
  const target = makeTarget();
  control.attach(target);
  const asked = ['--unix-socket', path, 'http://faild/v1/events'];
  const curl = spawn('curl', [
    '--silent',
    '--include',
    '--no-buffer',
    '--max-time',
    '10',
    ...asked,
  ]);
  t.teardown(() => curl.kill());
  const later = { ...stalled, lateUs: 8 };
  const bytes = [stalled, later].map((one) => `event: stalled\ndata: ${JSON.stringify(one)}\n\n`);
  const expected = bytes.join('');
  let said = '';
  for await (const some of curl.stdout.setEncoding('utf8')) {
    if (said === '') for (const queue of target.queues) queue.push(later);
    said += some;
    if (said.endsWith(expected)) break;
  }
  const [head = ''] = said.split('\r\n\r\n', 1);
  t.match(head, /^HTTP\/1\.1 200 OK\r\n/);
  t.match(head, /^Content-Type: text\/event-stream\r$/m);
  t.equal(said.slice(head.length + 4), expected);
});

t.test('probes are streamed, until nobody listens', async (t) => {
  const path = join(shortDir(t), 'faild.sock');
  const control = await openControl(path);
  t.teardown(() => control.close());
  const target = makeTarget();
  control.attach(target);
  const stream = followProbes(path, { peer: 'web1', lan: 'B' });
  t.same((await stream.next()).value, { more: 3, lan: 'B', peer: null });
  await stream.return(undefined);
  while (target.gone() === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await t.rejects(followProbes(path, { peer: 'web9' }).next(), { code: 'EDAEMON', exitStatus: 2 });
});

t.test('who is told to act is waited for longer than he himself waits for peers', async (t) => {
  const mostPeers = 16_384;
  t.ok(actPatienceMs > toldWithinMs(mostPeers) + 5000, `${actPatienceMs} ms`);
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
  t.equal(existsSync(`${path}.admin`), false);
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

t.test('round trips of a path, until the listener has enough', async (t) => {
  const path = join(shortDir(t), 'faild.sock');
  const control = await openControl(path);
  t.teardown(() => control.close());
  control.attach(makeTarget());
  const enough = new AbortController();
  const seen: (number | null)[] = [];
  for await (const { roundTripUs } of followRoundTrips(path, 'host2', 'A', enough.signal)) {
    seen.push(roundTripUs);
    if (seen.length === 2) enough.abort();
  }
  t.same(seen, [31.5, null]);
});

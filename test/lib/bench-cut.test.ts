// Aim: `faild bench --cut` cuts only where traffic can move and come back, and says of each cut what
// its events say. Made-up statuses and events, so that every figure is known.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { FaildError } from '../../lib/base/errors.js';
import { benchCut, planCut } from '../../lib/bench/cut.js';
import { buildCutReport, isComplete, readCut } from '../../lib/bench/cut-report.js';
import { askText, renderCut } from '../../lib/bench/cut-text.js';
import { renderCutHtml } from '../../lib/bench/html.js';
import { answerCut, checkCut } from '../../lib/cluster/cuts.js';
import { type FaildEvent, lostEvent } from '../../lib/cluster/events.js';
import { ReaderQueue } from '../../lib/cluster/reader-queue.js';
import type { Status } from '../../lib/cluster/status.js';
import { parseConfig } from '../../lib/config/config.js';
import type { ControlTarget } from '../../lib/control/routes.js';
import { openControl } from '../../lib/control/server.js';
import { native } from '../../lib/engine/native.js';
import { breaches } from '../schemas.js';
import { idOf, sketch } from './statuses.js';

const well = { web1: { A: 'up', B: 'up' }, web2: { A: 'up', B: 'up' } } as const;

t.test('whose paths would be cut', async (t) => {
  const names = (peer: string | null) => checkCut(sketch(well), 'A', peer).map(({ name }) => name);
  t.same(names(null), ['web1', 'web2']);
  t.same(names('web2'), ['web2']);
  const withDead = sketch({ ...well, web3: { A: 'down', B: 'down' } });
  t.equal(
    checkCut(withDead, 'A', null).length,
    2,
    'a host that is dead everywhere is no hindrance',
  );
});

const refusals: [why: RegExp, status: Status, peer?: string][] = [
  [/LAN B is drained: 'faild undrain B' first$/, sketch(well, { drained: ['B'] })],
  [/^not now: LAN A is down already$/, sketch(well, { lansDown: ['A'] })],
  [/web2 is up on no other LAN/, sketch({ ...well, web2: { A: 'up', B: 'down' } })],
  [/web2 is down on LAN A/, sketch({ ...well, web2: { A: 'down', B: 'up' } })],
  [/web2 is down on LAN A, or its tr/, sketch({ ...well, web2: { A: { via: 'B' }, B: 'up' } })],
  [/no path on LAN A is up$/, sketch({ web1: { A: 'unknown', B: 'up' } })],
  [
    /the path to web2 on LAN A is not up$/,
    sketch({ ...well, web2: { A: 'unknown', B: 'up' } }),
    'web2',
  ],
];
for (const [why, status, peer = null] of refusals) {
  t.test(`refused: ${why}`, async (t) => {
    t.throws(() => checkCut(status, 'A', peer), { code: 'EBUSY', message: why });
  });
}

t.test('refused: no such name, or a policy that brings nothing back', async (t) => {
  t.throws(() => checkCut(sketch(well), 'C', null), { code: 'ENOENT', exitStatus: 2 });
  t.throws(() => checkCut(sketch(well), 'A', 'web9'), { code: 'ENOENT', exitStatus: 2 });
  const status = sketch(well);
  const sticky = { ...status, plan: { ...status.plan, switchback: 'sticky' as const } };
  t.throws(() => checkCut(sticky, 'A', null), { message: /switchback is sticky/ });
});

const lan = (name: string) => ({ index: name === 'A' ? 0 : 1, name, interface: `eth${name}` });
const path = (name: string, on = 'A') => ({
  path: { peer: { id: idOf(name), name }, lan: lan(on), address: null },
});
const event = (kind: string, monotonicUs: number, more: object = {}) =>
  ({ kind, at: '', monotonicUs, ...more }) as FaildEvent;

const scene = {
  lan: 'A',
  peers: new Set([idOf('web1'), idOf('web2')]),
  cutUs: 1000,
  healedUs: 90_000,
};

t.test('what the events of a cut say', async (t) => {
  const out = readCut(
    [
      event('path-down', 900, { ...path('web1'), reason: 'not-heard' }),
      event('path-down', 21_000, { ...path('web1'), reason: 'not-heard' }),
      event('path-down', 23_000, { ...path('web3'), reason: 'not-heard' }),
      event('path-down', 24_000, { ...path('web2'), reason: 'not-heard' }),
      event('lan-down', 24_001, { lan: lan('A'), reason: 'not-heard' }),
      event('failover', 21_500, { ...path('web1'), via: lan('B') }),
      event('lan-failover', 24_100, { lan: lan('A'), via: lan('B') }),
      event('failover', 25_000, { ...path('web1', 'B'), via: lan('A') }),
      event('switchback', 190_000, path('web1')),
      event('lan-switchback', 191_000, { lan: lan('A') }),
    ],
    { ...scene, direction: 'out' },
  );
  t.same(out, {
    direction: 'out',
    hereUs: [],
    there: [
      { peer: 'web1', verdictUs: 20_000 },
      { peer: 'web2', verdictUs: 23_000 },
    ],
    movedUs: 23_100,
    returnedUs: 101_000,
  });
  const inwards = readCut([event('lan-down', 26_000, { lan: lan('A'), reason: 'lan-silent' })], {
    ...scene,
    direction: 'in',
  });
  t.same(inwards.hereUs, [25_000]);
  t.same([inwards.there, inwards.movedUs, inwards.returnedUs], [[], null, null]);
});

const sample = {
  direction: 'out' as const,
  hereUs: [] as number[],
  there: [{ peer: 'a<b', verdictUs: 21_000 }],
  endedEarly: false,
};
const seen = { ...sample, movedUs: 22_000, returnedUs: 120_000 };
const judged = { ...seen, direction: 'in' as const, hereUs: [25_000, 27_000], there: [] };
const facts = {
  lan: 'A',
  peers: ['web1', 'a<b'],
  count: 1,
  expectedUs: { min: 20_000, max: 30_600 },
};

t.test('the report, as document, table and page', async (t) => {
  const report = buildCutReport([seen, judged], facts, sketch(well));
  t.same(breaches(report), []);
  t.match(report, {
    schema: 'faild.bench-cut/1',
    here: { verdictUs: { count: 2, max: 27_000 }, movedUs: { count: 2 } },
    there: {
      verdictUs: { count: 1, p50: 21_000 },
      peers: [
        { peer: 'web1', verdictUs: null },
        { peer: 'a<b', verdictUs: { count: 1, max: 21_000 } },
      ],
    },
    returnedUs: { count: 2, max: 120_000 },
    notes: [],
  });
  t.ok(isComplete(report));
  const text = renderCut(report);
  t.match(text, /^we and web1, a<b, LAN A: 1 cuts each way/);
  t.match(text, /^cut -> verdict here +2 +25 ms +25 ms +27 ms +27 ms +27 ms$/m);
  t.match(text, /^cut -> verdict at web1 +0\ncut -> verdict at a<b +1 +21 ms/m);
  t.match(
    text,
    /- by the interval and count of this host, a cut is noticed after 20 ms to 30\.6 ms$/m,
  );
  const page = renderCutHtml(report);
  t.match(page, /<h1>faild bench: we and web1, a&lt;b, LAN A: 1 cuts each way<\/h1>/);
  t.match(page, /<svg[\s\S]*cut → verdict here[\s\S]*<\/svg>/);
  t.notMatch(page, /NaN|Infinity|undefined|<script|src=|href=/);
});

t.test('what was not seen is said', async (t) => {
  const mute = { ...sample, there: [], movedUs: null, returnedUs: null, endedEarly: true };
  const report = buildCutReport([mute, judged], facts, sketch(well));
  t.notOk(isComplete(report));
  t.match(renderCut(report), /^cut -> verdict at a<b +0$/m);
  t.same(report.notes, [
    '1 cuts ended by themselves before they were seen out',
    'in 1 cuts no traffic moved here',
    'in 1 cuts no peer told its verdict: one that only answers cannot',
  ]);
});

t.test('of many peers the table has one row, the document one each', async (t) => {
  const peers = Array.from({ length: 17 }, (_, at) => `web${at}`);
  const report = buildCutReport([seen], { ...facts, peers }, sketch(well));
  t.equal(report.there.peers.length, 17);
  t.match(
    renderCut(report),
    /^cut -> verdict here +0\n.*\ncut -> verdict at 17 peers +1 .*\nheal/m,
  );
});

t.test('the question says what will happen', async (t) => {
  const peers = ['a', 'b', 'c', 'd'];
  const text = askText({ lan: 'A', host: 'we', peers, count: 5, longestUs: 1_500_000 });
  t.match(
    text,
    /^LAN A will be cut 10 times, for at most 1\.5 s each: heartbeats of we on it are not/,
  );
  t.match(
    text,
    /All other packets pass, but we and 4 peers take LAN A for dead, and their traffic/,
  );
});

/** A daemon whose cuts nobody notices, and which tells of their own end later than it ends them. */
function lateDaemon(): ControlTarget {
  const status = sketch(well);
  const lost = (count: number) => lostEvent(count, { wallMs: 0, monotonicUs: 0 });
  const queue = new ReaderQueue<FaildEvent>(16, lost, () => undefined);
  return {
    status: async () => status,
    events: () => queue,
    cut: async () => answerCut(status, 'A', native.monotonicUs()),
    heal: async () => {
      const ended = event('lan-unmuted', native.monotonicUs(), { lan: lan('A') });
      setTimeout(() => queue.push(ended), 200);
      throw new FaildError('ENOENT', 'the engine refused the command: ENOENT');
    },
  } as unknown as ControlTarget;
}

t.test('a cut whose time comes before it is healed is one that ended early', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'faild-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const socket = join(dir, 's');
  const control = await openControl(socket);
  t.teardown(() => control.close());
  control.attach(lateDaemon());
  const order = { lan: 'A', peer: null, count: 1 };
  const plan = { ...planCut(sketch(well), order), longestUs: 100_000 };
  const { signal } = new AbortController();
  const report = await benchCut(order, plan, parseConfig({ socket }), signal);
  t.equal(isComplete(report), false);
  t.match(report.notes[0], /^2 cuts ended by themselves before they were seen out$/);
});

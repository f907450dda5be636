// Aim: what `faild bench` says is what was measured: in the document, in the table and in the page.
// Made-up samples, so that every figure is known.
import t from 'tap';
import { renderHtml } from '../../lib/bench/html.js';
import { buildReport, countPackets, type Samples } from '../../lib/bench/report.js';
import { renderBench, showRate } from '../../lib/bench/text.js';
import type { Status, StatusPath } from '../../lib/cluster/status.js';
import { breaches } from '../schemas.js';

const status = {
  version: '1.2.3',
  takenAt: '2026-01-01T00:00:00.000Z',
  host: { name: 'host1' },
  settings: { intervalUs: 100_000, failAfter: 3 },
  lans: [
    { name: 'A', intervalUs: 100_000, failAfter: 3 },
    { name: 'B', intervalUs: 10_000, failAfter: 5 },
  ],
} as Status;
const samples = (more: Partial<Samples> = {}): Samples => ({
  seconds: 2,
  lans: [
    { lan: 'A', roundTripsUs: [30, 31, 35], unanswered: 1, received: 95, lost: 4 },
    { lan: 'B', roundTripsUs: [], unanswered: 9, received: 0, lost: 0 },
  ],
  timers: { realtime: true, lateUs: [40, 50, 60, 900] },
  routes: { addUs: [8], replaceUs: [9], removeUs: [10] },
  notes: [],
  ...more,
});
const detect = (intervalUs: number, failAfter: number) => intervalUs * failAfter + 500;

t.test('the document', async (t) => {
  const report = buildReport(samples(), status, 'host2', detect);
  t.same(breaches(report), []);
  t.match(report, {
    schema: 'faild.bench/1',
    host: 'host1',
    peer: 'host2',
    lans: [
      {
        lan: 'A',
        roundTripUs: { count: 3, min: 30, p50: 31, p99: 35, p999: 35, max: 35 },
        loss: 0.05,
        inForce: { intervalUs: 100_000, failAfter: 3, detectUs: { mean: 250_500, max: 300_500 } },
      },
      { lan: 'B', roundTripUs: null, unanswered: 9, inForce: { intervalUs: 10_000, failAfter: 5 } },
    ],
    timers: { realtime: true, lateUs: { count: 4, max: 900 } },
    routes: { addUs: { max: 8 }, replaceUs: { max: 9 }, removeUs: { max: 10 } },
  });
  t.same(JSON.parse(JSON.stringify(report)), report, 'is JSON without loss');
});

t.test('the table', async (t) => {
  const text = renderBench(buildReport(samples(), status, 'host2', detect));
  t.match(text, /^host1 and host2, 2 s {2}\(faild 1\.2\.3\)\n/);
  t.match(text, /round trip, LAN A +3 +30 us +31 us +35 us +35 us +35 us\n/);
  t.match(text, /round trip, LAN B +0\n/);
  t.match(text, /route removed +1 +10 us/);
  t.match(text, /in force here, LAN A +interval 100ms, fail-after 3 +251 ms +301 ms/);
  t.match(text, /in force here, LAN B +interval 10ms, fail-after 5 +45\.5 ms +50\.5 ms/);
  t.match(text, /LAN A: 4 of 99 packets of the peer lost, 1 questions not answered/);
});

t.test('a LAN that loses packets does not make another one look bad', async (t) => {
  const lossy = { lan: 'A', roundTripsUs: [30, 31], unanswered: 50, received: 50, lost: 0 };
  const clean = { ...lossy, unanswered: 0 };
  const rate = (lan: string, lans: Samples['lans']) =>
    buildReport(samples({ lans }), status, 'host2', detect).lans.find((row) => row.lan === lan)
      ?.inForce.falsePerDay;
  const alone = rate('A', [clean]);
  t.equal(rate('A', [clean, { ...lossy, lan: 'B' }]), alone);
  t.ok((rate('A', [lossy]) ?? 0) > (alone ?? Infinity), 'and its own loss counts');
});

t.test('without routes and real time, it says so', async (t) => {
  const timers = { realtime: false, lateUs: [40] };
  const notes = ['route changes were not measured: no right'];
  const report = buildReport(samples({ routes: null, timers, notes }), status, 'host2', detect);
  const text = renderBench(report);
  t.equal(report.routes, null);
  t.match(text, /timer late by \(ordinary priority\)/);
  t.match(text, /- route changes were not measured: no right/);
  t.notMatch(text, /route added/);
});

t.test('the page stands alone and can be read', async (t) => {
  const html = renderHtml(buildReport(samples(), status, 'a<b', detect));
  t.match(html, /^<!doctype html>/);
  t.match(html, /<h1>faild bench: host1 and a&lt;b<\/h1>/);
  t.equal([...html.matchAll(/<svg /g)].length, 3);
  t.notMatch(html, /NaN|Infinity|undefined|<script|src=|href=/);
});

t.test('rates that people can read', async (t) => {
  t.same([2345, 1, 0.9, 0.01, 1e-9].map(showRate), [
    '2300 a day',
    '1 a day',
    '1 in 1.1 days',
    '1 in 100 days',
    'less than 1 a year',
  ]);
});

t.test('packets between two looks at a path', async (t) => {
  const path = (received: number, lost: number) => ({ received, lost }) as StatusPath;
  t.same(countPackets(path(10, 1), path(25, 3)), { received: 15, lost: 2 });
});

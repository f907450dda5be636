// Aim: `/metrics` is what Prometheus accepts (its grammar, and promtool's own lints where that is
// installed), says what happened, and speaks of single peers only when told to.
import { spawnSync } from 'node:child_process';
import { type AddressInfo, createServer } from 'node:net';
import t from 'tap';

import type { FaildEvent } from '../../lib/cluster/events.js';
import { Metrics } from '../../lib/metrics/metrics.js';
import { serveMetrics } from '../../lib/metrics/metrics-server.js';

import { unlessInstalled } from '../judges.js';
import { measured, sketch } from './statuses.js';

const awkward = 'we"b\\1';
const found = measured(
  sketch({
    [awkward]: { A: { state: 'down', via: 'B' }, B: 'up' },
    web2: { A: 'up', B: { lastHeardUs: null, roundTripUs: null } },
  }),
);

const lan = (name: string) => ({ index: 0, name, interface: 'eth0' });
const evidence = {
  reason: 'silent',
  lastHeardUs: 30_000,
  missed: 3,
  intervalUs: 10_000,
  loss: 0,
  roundTripUs: null,
};
const moved: FaildEvent<'failover'> = {
  kind: 'failover',
  at: '',
  monotonicUs: 0,
  path: { peer: { id: '1', name: 'web1' }, lan: lan('A'), address: null },
  via: lan('B'),
  detectUs: 30_000,
  applyUs: 40,
  ...evidence,
};
const wholeLan: FaildEvent = {
  kind: 'lan-failover',
  at: '',
  monotonicUs: 0,
  lan: lan('A'),
  via: lan('B'),
  subnet: null,
  paths: 2,
  detectUs: 21_000,
  applyUs: 25,
  ...evidence,
};

function told(perPeer: boolean): Promise<string> {
  const metrics = new Metrics({ perPeer });
  metrics.note(moved);
  metrics.note({ ...moved, reason: 'operator', detectUs: 0 });
  metrics.note(wholeLan);
  metrics.note({ kind: 'rejoined', at: '', monotonicUs: 0 });
  metrics.note({ kind: 'stalled', at: '', monotonicUs: 0, lateUs: 3000, count: 2 });
  for (const us of [0, 700, 3_000_000]) metrics.noteLag(us);
  return metrics.text(found);
}

// The exposition format, line by line: comments, then samples of the metric that they announce.
const label = /[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*"/.source;
const sample = new RegExp(
  `^([a-zA-Z_:][\\w:]*)(?:\\{(${label}(?:,${label})*)?\\})? (-?[\\d.]+(?:e[-+]?\\d+)?|\\+Inf|NaN)$`,
);
const kinds = /^(counter|gauge|histogram)$/;

function grammarFaults(text: string): string[] {
  const faults: string[] = [];
  const types = new Map<string, string>();
  const seen = new Set<string>();
  let family = '';
  for (const line of text.trimEnd().split('\n')) {
    const [, word, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (word === 'TYPE') {
      if (!kinds.test(rest) || types.has(name)) faults.push(`type: ${line}`);
      types.set(name, rest);
      family = name;
    }
    if (word !== undefined || line === '') continue;
    const [, series = '', labels = ''] = sample.exec(line) ?? [];
    const base =
      types.get(family) === 'histogram' ? series.replace(/_(bucket|sum|count)$/, '') : series;
    if (base !== family) faults.push(`sample: ${line}`);
    if (seen.has(`${series}{${labels}`)) faults.push(`twice: ${line}`);
    seen.add(`${series}{${labels}`);
    const counts = types.get(family) === 'counter';
    if (counts !== family.endsWith('_total')) faults.push(`suffix: ${line}`);
  }
  return [...faults, ...histogramFaults(text, types)];
}

/** Buckets ascend and end with all there is, which `_count` says as well. */
function histogramFaults(text: string, types: Map<string, string>): string[] {
  const families = [...types].flatMap(([name, type]) => (type === 'histogram' ? [name] : []));
  return families.flatMap((name) => {
    const buckets = [...text.matchAll(new RegExp(`^${name}_bucket\\{le="(.+)"\\} (\\d+)$`, 'gm'))];
    const bounds = buckets.map(([, le]) => (le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le)));
    const counts = buckets.map(([, , count]) => Number(count));
    const [, count] = new RegExp(`^${name}_count (\\d+)$`, 'm').exec(text) ?? [];
    const right =
      bounds.every((bound, at) => at === 0 || bound > (bounds[at - 1] ?? bound)) &&
      counts.every((each, at) => at === 0 || each >= (counts[at - 1] ?? each)) &&
      bounds.at(-1) === Number.POSITIVE_INFINITY &&
      counts.at(-1) === Number(count) &&
      new RegExp(`^${name}_sum [\\d.]+$`, 'm').test(text);
    return right ? [] : [`buckets: ${name}`];
  });
}

t.test('the grammar holds, and the test of it finds faults', async (t) => {
  for (const perPeer of [false, true]) t.same(grammarFaults(await told(perPeer)), []);
  t.same(grammarFaults('# TYPE a counter\na 1\n'), ['suffix: a 1']);
  t.same(grammarFaults('# TYPE a gauge\na{b="c"d"} 1\n'), ['sample: a{b="c"d"} 1']);
  t.same(grammarFaults('# TYPE a gauge\na 1\na 2\n'), ['twice: a 2']);
  const histogram = (last: number) =>
    `# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} ${last}\na_sum 3\na_count 3\n`;
  t.same(grammarFaults(histogram(3)), []);
  t.same(grammarFaults(histogram(1)), ['buckets: a']);
});

const skip = unlessInstalled('promtool');

t.test('promtool accepts it without a complaint', { skip }, async (t) => {
  for (const perPeer of [false, true]) {
    const input = await told(perPeer);
    const { status: exit, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input });
    t.equal(exit, 0, `${stdout}${stderr}`);
    t.equal(`${stdout}${stderr}`, '');
  }
});

t.test('what happened is in it', async (t) => {
  const lines = (await told(false)).split('\n');
  const holds = (line: string) => t.ok(lines.includes(line), line);
  holds('faild_events_total{kind="failover"} 2');
  holds('faild_failovers_total{scope="path",reason="silent"} 1');
  holds('faild_failovers_total{scope="path",reason="operator"} 1');
  holds('faild_failovers_total{scope="lan",reason="silent"} 1');
  holds('faild_detection_seconds_count 2');
  holds('faild_detection_seconds_bucket{le="0.02"} 0');
  holds('faild_detection_seconds_bucket{le="0.05"} 2');
  holds('faild_apply_seconds_bucket{le="0.00005"} 3');
  holds('faild_apply_seconds_count 3');
  holds('faild_paths{lan="A",state="down"} 1');
  holds('faild_paths{lan="A",state="stopped"} 0');
  holds('faild_paths_moved 1');
  holds('faild_paths_without_standby 3');
  holds('faild_peers_down 0');
  holds('faild_events_total{kind="isolated"} 0');
  holds('faild_stall_seconds_bucket{le="0.005"} 1');
  holds('faild_refused_frames_total{reason="too-short"} 0');
  holds('faild_dropped_packets_total{reason="other-cluster"} 3');
  holds('faild_packets_sent_total 12');
  holds('faild_lateness_seconds_total 0.0025');
  holds('faild_engine_alive 1');
});

t.test('single peers only when told to, and names that need escapes get them', async (t) => {
  t.notMatch(await told(false), /peer=/);
  const text = await told(true);
  t.match(text, /^faild_path_up\{peer="we\\"b\\\\1",peer_id="\w+",lan="A"\} 0$/m);
  t.match(text, /^faild_path_moved\{peer="we\\"b\\\\1",.*lan="A"\} 1$/m);
  t.notMatch(
    text,
    /^faild_path_silence_seconds\{peer="web2",.*lan="B"\}/m,
    'never heard: not said',
  );
});

t.test('histograms: those that the engine counts, and the lag of the event loop', async (t) => {
  const text = await told(false);
  const family = (name: string) => text.match(new RegExp(`^${name}_.*$`, 'gm'));
  t.same(family('faild_timer_lateness_seconds'), [
    'faild_timer_lateness_seconds_bucket{le="0.00001"} 1',
    'faild_timer_lateness_seconds_bucket{le="0.00005"} 5',
    'faild_timer_lateness_seconds_bucket{le="0.001"} 5',
    'faild_timer_lateness_seconds_bucket{le="+Inf"} 6',
    'faild_timer_lateness_seconds_sum 2.0001505',
    'faild_timer_lateness_seconds_count 6',
  ]);
  t.same(family('faild_netlink_round_trip_seconds')?.slice(-3), [
    'faild_netlink_round_trip_seconds_bucket{le="+Inf"} 3',
    'faild_netlink_round_trip_seconds_sum 0.00018',
    'faild_netlink_round_trip_seconds_count 3',
  ]);
  const lag = family('faild_event_loop_lag_seconds') ?? [];
  t.equal(lag[0], 'faild_event_loop_lag_seconds_bucket{le="0.001"} 2');
  t.equal(lag.at(-2), 'faild_event_loop_lag_seconds_sum 3.0007');
  t.equal(lag.at(-1), 'faild_event_loop_lag_seconds_count 3');
});

t.test('a host that no LAN reaches is counted once, and one that is only met is not', async (t) => {
  const text = await new Metrics({ perPeer: false }).text(
    measured(
      sketch({
        gone: { A: 'down', B: 'down' },
        met: { A: 'unknown', B: 'unknown' },
        left: { A: 'stopped', B: 'stopped' },
        half: { A: 'down', B: { state: 'up', standby: 'A' } },
      }),
    ),
  );
  t.match(text, /^faild_peers_down 1$/m);
  t.match(text, /^faild_paths_without_standby 0$/m);
});

t.test('over TCP there is /metrics and nothing else', async (t) => {
  const port = await freePort();
  const ask = async (path: string, method = 'GET') => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return { code: answer.status, text: await answer.text() };
  };
  let metrics = async () => 'faild_x 1\n';
  const server = await serveMetrics(`127.0.0.1:${port}`, () => metrics());
  t.same(await ask('/metrics'), { code: 200, text: 'faild_x 1\n' });
  t.equal((await ask('/v1/status')).code, 404);
  t.equal((await ask('/metrics', 'POST')).code, 405);
  metrics = () => Promise.reject(new Error('the engine is silent'));
  t.same(await ask('/metrics'), { code: 503, text: 'the engine is silent\n' });
  const taken = serveMetrics(`127.0.0.1:${port}`, () => metrics());
  await t.rejects(taken, { code: 'EADDRINUSE', message: /^--metrics-listen: cannot listen on/ });
  await server.close();
  await t.rejects(ask('/metrics'), 'closed is closed');
  await (await serveMetrics(null, () => metrics())).close();
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

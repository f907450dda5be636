// Aim: what the flight recorder holds is told truly: gaps, losses and lateness of each probe; a
// verdict takes its part along; and who follows probes live is told each once, in order, and how
// many he has missed.
import t from 'tap';
import { followProbes, type MissedProbes, namesOf } from '../../lib/cluster/probes-live.js';
import type { NativeProbe, NativeProbeQuery, NativeRecording } from '../../lib/engine/native.js';
import { annotate, beforeVerdict, ofPath, seenIn } from '../../lib/engine/probes.js';
import { renderProbes, renderRecorded, renderSeen } from '../../lib/text/probes.js';
import { idOf, sketch } from './statuses.js';

const web1 = idOf('web1');
const status = sketch({ web1: { A: 'up', B: 'up' }, web2: { A: 'up', B: 'up' } });
const now = { wallMs: Date.UTC(2026, 0, 1, 12), monotonicUs: 5_000_000 };

const plain: NativeProbe = {
  atUs: 0,
  kind: 'inq',
  sent: false,
  sequence: 0,
  lagUs: 0,
  urgent: false,
  unheard: false,
  refused: false,
};

/** An inquiry every 10 ms, number n at n x 10 ms. */
const inq = (sequence: number, more: Partial<NativeProbe> = {}): NativeProbe => ({
  ...plain,
  atUs: sequence * 10_000,
  sequence,
  ...more,
});
const ring = (probes: NativeProbe[], more: Partial<NativeRecording> = {}): NativeRecording => ({
  host: web1,
  lan: 0,
  intervalUs: 10_000,
  count: probes.length,
  probes,
  ...more,
});
const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at);

t.test('gap, loss and lateness are measured by the regular probe before', async (t) => {
  const told = annotate(
    ring([
      inq(1),
      inq(2, { atUs: 20_080, lagUs: 12 }),
      { ...plain, kind: 'solicit', atUs: 21_000, sequence: 900, lagUs: 3 },
      inq(2, { atUs: 22_000, refused: true }),
      inq(5, { atUs: 50_000, urgent: true, unheard: true }),
      inq(1, { atUs: 60_000 }),
    ]),
  );
  t.same(told, [
    {
      number: 1,
      monotonicUs: 10_000,
      direction: 'received',
      kind: 'inq',
      sequence: 1,
      unreadUs: 0,
    },
    {
      ...{ number: 2, monotonicUs: 20_080, direction: 'received', kind: 'inq', sequence: 2 },
      ...{ gapUs: 10_080, lateUs: 80, unreadUs: 12 },
    },
    {
      ...{ number: 3, monotonicUs: 21_000, direction: 'received', kind: 'solicit' },
      ...{ sequence: 900, unreadUs: 3 },
    },
    {
      ...{ number: 4, monotonicUs: 22_000, direction: 'received', kind: 'inq', sequence: 2 },
      ...{ unreadUs: 0, refused: true },
    },
    {
      ...{ number: 5, monotonicUs: 50_000, direction: 'received', kind: 'inq', sequence: 5 },
      ...{ gapUs: 29_920, lost: 2, lateUs: -80, unreadUs: 0, urgent: true, unheard: true },
    },
    {
      // Its sequence began anew: that is no loss.
      ...{ number: 6, monotonicUs: 60_000, direction: 'received', kind: 'inq', sequence: 1 },
      ...{ gapUs: 10_000, lateUs: 0, unreadUs: 0 },
    },
  ]);
});

t.test('what a lag means depends on whose probe it is', async (t) => {
  const lags = annotate(
    ring([
      { ...plain, sent: true, lagUs: 7 },
      { ...plain, kind: 'ack', lagUs: 7 },
      { ...plain, kind: 'solicit-ack', lagUs: 7 },
      { ...plain, kind: 'ack', lagUs: 7, refused: true },
    ]),
  );
  t.match(lags, [{ lateUs: 7 }, { roundTripUs: 7 }, { roundTripUs: 7 }, { unreadUs: 7 }]);
  t.equal(lags[3]?.roundTripUs, undefined, 'it answers nothing');
  t.match(
    annotate(ring([inq(2 ** 32 - 1, { atUs: 0 }), inq(0, { atUs: 10_000 })]))[1],
    { lateUs: 0, lost: undefined },
    'a sequence that wraps',
  );
});

const dump = {
  path: ring(range(9, 16).map((n) => inq(n))),
  lan: ring(
    range(19, 26).map((n) => inq(n, { sent: true, atUs: n * 10_000 - 5000 })),
    { host: null },
  ),
};

t.test('a verdict takes the newest of each direction along, by the time', async (t) => {
  const probes = beforeVerdict(dump, 190_600.4);
  t.equal(probes.length, 16);
  t.equal(probes.filter(({ direction }) => direction === 'received').length, 8);
  t.same(probes.at(-1), {
    atUs: 64_400,
    direction: 'sent',
    kind: 'inq',
    sequence: 26,
    lateUs: 0,
  });
  t.same(
    probes.map(({ atUs }) => atUs),
    probes.map(({ atUs }) => atUs).sort((a, b) => a - b),
  );
});

t.test('of one path: its own, and what went to everybody on its LAN', async (t) => {
  const others = [ring([inq(1)], { host: idOf('web2') }), ring([inq(1)], { lan: 1 })];
  const taken = { takenUs: 200_000, recordings: [dump.lan, dump.path, ...others], leftOut: 0 };
  t.equal(ofPath(taken, web1, 0).length, 16);
  t.match(ofPath(taken, web1, 1), [{ atUs: -190_000 }]);
});

t.test('for people', async (t) => {
  const names = namesOf(status);
  const recordings = [
    ring([inq(499_999), inq(500_000, { atUs: 5_000_000_080, lagUs: 12 })], { lan: 1 }),
    ring([inq(7, { sent: true, atUs: 4_999_000_001.5, lagUs: 3 })], { host: null, count: 9 }),
  ];
  const late = { ...now, monotonicUs: 5_000_000_000 };
  const seen = seenIn({ takenUs: 0, recordings, leftOut: 0 }, names, late);
  const answer = { engine: { alive: true, heartbeats: 1 }, ageUs: 120, probes: seen };
  t.equal(
    renderProbes(answer),
    `11:59:59.000001  A  -> everybody     inq                7  3 us late
11:59:59.990000  B  <- web1          inq           499999
12:00:00.000080  B  <- web1          inq           500000  gap 10.1 ms, 80 us late, unread for 12 us

(120 us old; the engine's thread is alive)
`,
  );
  t.match(seen[0], { at: '2026-01-01T11:59:59.000001Z', lan: 'A', peer: null });
  t.equal(
    renderSeen({ more: 12, lan: 'B', peer: { id: web1, name: 'web1' } }),
    '                 B     web1          (12 more)\n',
  );
  t.same(renderRecorded(beforeVerdict({ path: ring([inq(1), inq(4)]), lan: ring([]) }, 70_000)), [
    '-60 ms  <- inq  1',
    '-30 ms  <- inq  4  gap 30 ms, 2 lost before it, on time',
  ]);
  const odd = [inq(3, { refused: true }), inq(4, { unheard: true }), inq(5, { urgent: true })];
  t.match(renderRecorded(beforeVerdict({ path: ring(odd), lan: ring([]) }, 70_000)), [
    / {2}<- inq {2}3 {2}refused: old or repeated$/,
    / {2}it does not hear us$/,
    / {2}gap 10 ms, on time, out of turn$/,
  ]);
});

/** A recorder that holds eight probes a ring, in which each look finds so many more. */
function recorder(looks: number[], lan = 0) {
  const written: NativeProbe[] = [];
  const asked: NativeProbeQuery[] = [];
  return {
    asked,
    status: async () => status,
    async probes(query: NativeProbeQuery) {
      asked.push(query);
      for (let n = looks.shift() ?? 0; n > 0; n--) written.push(inq(written.length + 1));
      const probes = written.slice(-8);
      const recordings = [ring(probes, { lan, count: written.length })];
      return { taken: { takenUs: written.length * 10_000, recordings, leftOut: 0 }, now };
    },
  };
}

const listening = new AbortController().signal;

async function first(count: number, lines: ReturnType<typeof followProbes>) {
  const got = [];
  for await (const line of lines) {
    got.push(line);
    if (got.length === count) break;
  }
  return got.map((line) => ('more' in line ? `+${line.more}` : line.sequence));
}

t.test('live: each probe once, and what was overwritten is counted', async (t) => {
  const source = recorder([5, 0, 3, 2, 20, 1]);
  const told = await first(
    5 + 1 + 8 + 1,
    followProbes(source, { peer: 'web1', lan: 'A' }, listening),
  );
  t.same(told, [6, 7, 8, 9, 10, '+12', ...range(23, 30), 31]);
  t.match(source.asked[0], { host: web1, lan: 0, sinceUs: 0 });
  t.match(source.asked[2], { host: web1, lan: 0, sinceUs: 0 }, 'within the first 50 ms');
  t.match(source.asked[5], { sinceUs: 250_000 });
});

t.test('live: the first probe of a look is measured by the last of the one before', async (t) => {
  const lines = followProbes(recorder([20, 8, 40]), { peer: null, lan: null }, listening);
  const seen = [];
  for await (const line of lines) {
    seen.push(line);
    if (seen.length === 10) break;
  }
  t.match(seen[0], { sequence: 21, gapUs: 10_000, lateUs: 0, lan: 'A', peer: { name: 'web1' } });
  t.match(seen[8], { more: 32 } as MissedProbes);
  t.match(seen[9], { sequence: 61, gapUs: undefined }, 'nobody knows what was before it');
});

t.test('live: a look that comes late may tell all that has come since', async (t) => {
  const looks = [0, 200_000].map((takenUs, at) => {
    const crowd = range(1, 100 * at).map((n) =>
      ring(
        range(1, 8).map((i) => inq(i)),
        { host: idOf(`w${n}`) },
      ),
    );
    return {
      taken: { takenUs, recordings: crowd, leftOut: 0 },
      now: { wallMs: 0, monotonicUs: 0 },
    };
  });
  const source = { ...recorder([1]), probes: async () => looks.shift() ?? t.fail('a third look') };
  const told = await first(
    800,
    followProbes(source as never, { peer: null, lan: null }, listening),
  );
  t.same(
    told.filter((line) => typeof line === 'string'),
    [],
    '800 probes in 0.2 s are no more than may be told',
  );
});

t.test('live: it ends with its listener, though nothing comes', async (t) => {
  const listener = new AbortController();
  const next = followProbes(recorder([1]), { peer: null, lan: null }, listener.signal).next();
  listener.abort();
  t.match(await next, { done: true });
});

t.test('live: no such peer or LAN, and too many paths, are said', async (t) => {
  const next = (scope: { peer: string | null; lan: string | null }) =>
    followProbes(recorder([1]), scope, listening).next();
  await t.rejects(next({ peer: 'web9', lan: null }), { code: 'ENOENT', message: /web1, web2/ });
  await t.rejects(next({ peer: null, lan: 'C' }), { code: 'ENOENT', message: /A, B/ });
  const crowd = recorder([1, 1]);
  const probes = async (query: NativeProbeQuery) => {
    const read = await crowd.probes(query);
    return { ...read, taken: { ...read.taken, leftOut: 977 } };
  };
  const lines = followProbes({ ...crowd, probes }, { peer: null, lan: null }, listening);
  await t.rejects(lines.next(), { code: 'EINVAL', exitStatus: 2, message: /^978 paths are too/ });
});

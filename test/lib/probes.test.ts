// Aim: what the flight recorder holds is told truly: gaps, losses and lateness of each probe; a
// verdict takes its part along; and who follows probes live is told each once, in order, and how
// many he has missed.
import t from 'tap';
import { followProbes, type MissedProbes, namesOf } from '../../lib/cluster/probes-live.js';
import type {
  NativeProbe,
  NativeProbeQuery,
  NativeRecording,
  NativeTappedProbe,
} from '../../lib/engine/native.js';
import {
  annotate,
  beforeVerdict,
  ofPath,
  type SeenProbe,
  seenIn,
} from '../../lib/engine/probes.js';
import type { TapListener } from '../../lib/engine/tap.js';
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
  verdictUs: null,
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
      monotonicUs: 10_000,
      direction: 'received',
      kind: 'inq',
      sequence: 1,
      unreadUs: 0,
    },
    {
      ...{ monotonicUs: 20_080, direction: 'received', kind: 'inq', sequence: 2 },
      ...{ gapUs: 10_080, lateUs: 80, unreadUs: 12 },
    },
    {
      ...{ monotonicUs: 21_000, direction: 'received', kind: 'solicit' },
      ...{ sequence: 900, unreadUs: 3 },
    },
    {
      ...{ monotonicUs: 22_000, direction: 'received', kind: 'inq', sequence: 2 },
      ...{ unreadUs: 0, refused: true },
    },
    {
      ...{ monotonicUs: 50_000, direction: 'received', kind: 'inq', sequence: 5 },
      ...{ gapUs: 29_920, lost: 2, lateUs: -80, unreadUs: 0, urgent: true, unheard: true },
    },
    {
      // Its sequence began anew: that is no loss.
      ...{ monotonicUs: 60_000, direction: 'received', kind: 'inq', sequence: 1 },
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
  const onA = ofPath(taken, web1, 0);
  t.equal(onA.probes.length, 16);
  t.equal(onA.verdictAtUs, null);
  t.match(ofPath(taken, web1, 1).probes, [{ atUs: -190_000 }]);
});

t.test(
  'of a path that keeps its last verdict: what had been sent to everybody by then',
  async (t) => {
    const sent = (sequence: number, verdictUs: number | null) =>
      ring([inq(sequence, { sent: true })], { host: null, verdictUs });
    const lans = [
      sent(60, null),
      sent(9, 95_000),
      sent(4, 45_000),
      sent(7, 71_000),
      sent(3, 31_000),
    ];
    const told = (verdictUs: number) => {
      const path = ring([inq(2)], { verdictUs });
      const { probes, verdictAtUs } = ofPath(
        { takenUs: 100_000, recordings: [...lans, path], leftOut: 0 },
        web1,
        0,
      );
      const sequences = probes.filter(({ direction }) => direction === 'sent');
      return [sequences.map(({ sequence }) => sequence), verdictAtUs];
    };
    t.same(told(71_000), [[7], -29_000]);
    t.same(told(94_999.6), [[7], -5_000], 'neighbours share a copy');
    t.same(told(96_000), [[9], -4_000]);
    t.same(told(20_000), [[], -80_000], 'too long ago');
    const names = namesOf(status);
    const seen = seenIn({ takenUs: 100_000, recordings: lans, leftOut: 0 }, names, now);
    t.match(seen, [{ sequence: 60 }]);
  },
);

t.test('for people', async (t) => {
  const names = namesOf(status);
  const recordings = [
    ring([inq(499_999), inq(500_000, { atUs: 5_000_000_080, lagUs: 12 })], { lan: 1 }),
    ring([inq(7, { sent: true, atUs: 4_999_000_001.5, lagUs: 3 })], { host: null }),
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
    '                 (12 more)\n',
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

/** A running faild whose probes are what the test says. */
class Source {
  readonly queries: NativeProbeQuery[] = [];
  listener: TapListener | undefined;
  left = 0;
  looks = 0;

  async status() {
    this.looks += 1;
    return status;
  }

  async tapProbes(query: NativeProbeQuery, listener: TapListener) {
    this.queries.push(query);
    this.listener = listener;
    const leave = () => {
      this.left += 1;
    };
    return { now, leave };
  }

  pass(probes: NativeProbe[], more: Partial<NativeTappedProbe> = {}): void {
    const tapped = { host: web1, lan: 0, intervalUs: 10_000, lostBefore: 0, ...more };
    this.listener?.take(probes.map((probe) => ({ ...tapped, ...probe })));
  }
}

type Lines = ReturnType<typeof followProbes>;

/** The first line comes later: until then it listens already. */
async function begin(scope: { peer: string | null; lan: string | null }, gone = listening) {
  const source = new Source();
  const lines = followProbes(source, scope, gone);
  const first = lines.next();
  while (source.listener === undefined) await new Promise((resolve) => setImmediate(resolve));
  return { source, lines, first };
}

async function some(count: number, first: ReturnType<Lines['next']>, lines: Lines) {
  const got: (SeenProbe | MissedProbes)[] = [];
  for (let next = await first; next.done !== true; next = await lines.next()) {
    got.push(next.value);
    if (got.length === count) break;
  }
  return got;
}

const show = (line: SeenProbe | MissedProbes) => ('more' in line ? `+${line.more}` : line.sequence);
const listening = new AbortController().signal;
const everything = { peer: null, lan: null };

t.test('live: each probe of whom was named, measured by the one before', async (t) => {
  const { source, lines, first } = await begin({ peer: 'web1', lan: 'A' });
  t.same(source.queries, [{ host: web1, lan: 0 }]);
  source.pass([inq(6), inq(7)]);
  source.pass([inq(7)], { host: idOf('web2') });
  source.pass([inq(8)], { lan: 1 });
  source.pass([inq(30, { sent: true })], { host: null });
  source.pass([inq(9)]);
  const seen = await some(4, first, lines);
  t.same(seen.map(show), [6, 7, 30, 9]);
  t.match(seen, [
    { lan: 'A', peer: { name: 'web1' }, gapUs: undefined },
    { gapUs: 10_000, lateUs: 0 },
    { peer: null, direction: 'sent' },
    { gapUs: 20_000, lost: 1, lateUs: 0 },
  ]);
});

t.test('live: what the tap has lost stands where it was lost', async (t) => {
  const { source, lines, first } = await begin(everything);
  source.pass([inq(1)]);
  source.pass([inq(13)], { lostBefore: 11 });
  source.pass([inq(14)]);
  const seen = await some(4, first, lines);
  t.same(seen.map(show), [1, '+11', 13, 14]);
  t.match(seen[1], { more: 11, lan: null, peer: null });
  t.match(seen[2], { gapUs: undefined }, 'nobody knows what was before it');
});

t.test('live: a listener who does not read loses the newest, and is told how many', async (t) => {
  const { source, lines, first } = await begin({ peer: 'web1', lan: 'A' });
  for (const n of range(1, 10_000)) source.pass([inq(n)]);
  const read = await some(4000, first, lines);
  source.pass([inq(10_001)]);
  const rest = await some(4193 + 2, lines.next(), lines);
  t.same([...read, ...rest].map(show), [...range(1, 8193), '+1807', 10_001]);
  t.match(rest.at(-2), { more: 1807, lan: 'A', peer: { name: 'web1' } });
  t.match(rest.at(-1), { gapUs: 10_000, lost: undefined }, 'though he was not told the one before');
});

t.test('live: a host that is met while he listens is asked for once', async (t) => {
  const { source, lines, first } = await begin(everything);
  const before = source.looks;
  source.pass([inq(1), inq(2)], { host: idOf('new') });
  t.match(await some(2, first, lines), [{ peer: { id: idOf('new') } }, {}]);
  t.equal(source.looks, before + 1);
});

t.test('live: it ends with its listener, though nothing comes, and with faild', async (t) => {
  const listener = new AbortController();
  const { source, first } = await begin(everything, listener.signal);
  listener.abort();
  t.match(await first, { done: true });
  t.equal(source.left, 1);
  const gone = await begin(everything, listener.signal);
  t.match(await gone.first, { done: true }, 'gone before it began');
  const stopped = await begin(everything);
  stopped.source.pass([inq(1)]);
  stopped.source.listener?.end();
  t.match(await stopped.first, { value: { sequence: 1 } });
  t.match(await stopped.lines.next(), { done: true });
  t.equal(stopped.source.left, 1);
});

t.test('live: no such peer or LAN is said', async (t) => {
  const next = (peer: string | null, lan: string | null) =>
    followProbes(new Source(), { peer, lan }, listening).next();
  await t.rejects(next('web9', null), { code: 'ENOENT', message: /web1, web2/ });
  await t.rejects(next(null, 'C'), { code: 'ENOENT', message: /A, B/ });
});

// Aim: the status document says all of what the engine knows, and its table is what a human reads
// at a glance.
import t from 'tap';
import { showDuration } from '../../lib/base/units.js';
import { anyPathDown, buildStatus, type Status } from '../../lib/cluster/status.js';
import { parseConfig } from '../../lib/config/config.js';
import type { NativePathRow, NativeSnapshot } from '../../lib/engine/native.js';
import { renderStatus, renderSummary } from '../../lib/text/status.js';
import { plainHistograms } from './statuses.js';

const web1 = '00000000000000a1';
const web10 = '00000000000000b1';
const web2 = '00000000000000c1';

function path(host: string, lan: number, fields: Partial<NativePathRow> = {}): NativePathRow {
  return {
    host,
    lan,
    state: 'up',
    reason: 'handshake',
    sinceUs: 1_000_000,
    silenceUs: 212.34,
    intervalUs: 1000,
    missed: 0,
    good: 0,
    goodNeeded: 10,
    roundTripUs: 81.26,
    alternate: null,
    standby: 1 - lan,
    received: 10,
    lost: 0,
    loss: 0,
    failovers: 0,
    forced: false,
    addresses: [`10.0.${lan + 1}.${host.slice(-2, -1) === 'b' ? 10 : 2}/24`],
    mac: '02:00:00:00:00:02',
    ...fields,
  };
}

const lan = (index: number, name: string, device: string) => ({
  index,
  name,
  interface: device,
  state: 'up' as const,
  sinceUs: 1_000_000,
  carrier: true,
  moved: false,
  muted: 0,
  mutedUntilUs: null,
  pathsUp: 2,
  pathsDown: 0,
  pathsOther: 0,
  addresses: [`10.0.${index + 1}.1/24`, 'fe80::1/64'],
  intervalUs: 1000,
  paceUs: 1000,
  failAfter: 3,
  restoreAfter: 10,
  sent: 1,
  received: 2,
});

const down: Partial<NativePathRow> = {
  state: 'down',
  reason: 'silent',
  sinceUs: 16_000_000,
  silenceUs: 4_003_100,
  roundTripUs: null,
  missed: 4003,
  alternate: 1,
};

const told = { drained: false, untold: false };
const snapshot: NativeSnapshot = {
  takenUs: 20_000_000,
  peers: [
    { host: web10, incarnation: '0000000000000001', name: 'web10', requestor: false, ...told },
    { host: web2, incarnation: '0000000000000002', name: 'web2', requestor: true, ...told },
  ],
  paths: [
    path(web10, 1),
    path(web10, 0, down),
    path(web2, 0),
    path(web2, 1, { silenceUs: null, state: 'unknown' }),
  ],
  lans: [
    { ...lan(0, 'A', 'eth0'), pathsUp: 1, pathsDown: 1 },
    { ...lan(1, 'B', 'enp3s0'), pathsUp: 1, pathsOther: 1 },
  ],
  counters: { failovers: 1 },
  drops: { 'old-sequence': 0 },
  histograms: plainHistograms,
  decodeErrors: { 'too-short': 0 },
  frameErrors: {},
};

function build(more: Partial<NativeSnapshot> = {}, granted = true, hostDrained = false): Status {
  const facts = {
    version: '1.2.3',
    config: parseConfig({ requestor: true, interval: 0.001, hostName: 'web1' }),
    identity: { host: web1, incarnation: '0000000000000007' },
    plan: {
      preference: [1, 0],
      drained: [0],
      hostDrained,
      switchback: 'auto' as const,
      holdUs: 30e6,
      flapWindowUs: 0,
      grayLoss: 0,
      grayRoundTripUs: 0,
      rtoMinUs: 0,
      source: 'own' as const,
      timing: [],
      allowed: [],
    },
    engine: {
      transport: granted ? ('raw' as const) : ('udp' as const),
      transportHint: granted ? '' : 'grant CAP_NET_RAW',
      realtime: granted,
      realtimeError: granted ? 0 : 1,
      realtimeHint: granted ? '' : 'grant CAP_SYS_NICE',
      memoryBytes: 17_000_000,
      memoryLocked: granted,
      lockError: granted ? 0 : 12,
      lockHint: granted ? '' : 'grant CAP_IPC_LOCK',
    },
  };
  const now = { wallMs: Date.UTC(2026, 0, 1), monotonicUs: 20_000_500 };
  const look = { snapshot: { ...snapshot, ...more }, alive: true, heartbeats: 7 };
  return buildStatus(look, facts, now);
}

t.test('the document', async (t) => {
  const status = build();
  t.match(status, {
    schema: 'faild.status/1',
    version: '1.2.3',
    takenAt: '2025-12-31T23:59:59.999Z',
    ageUs: 500,
    engine: { alive: true, heartbeats: 7 },
    host: { id: web1, name: 'web1', incarnation: '0000000000000007' },
    transport: 'raw',
    transportHint: null,
    scheduling: { mode: 'fifo', hint: null },
    memory: { bytes: 17_000_000, locked: true, hint: null },
    settings: { requestor: true, intervalUs: 1000, failAfter: 3, restoreAfter: 10, port: 9311 },
    plan: { preference: ['B', 'A'], drained: ['A'], switchback: 'auto', holdUs: 30e6 },
    counters: { failovers: 1 },
    lastRefusal: null,
  });
  t.same(
    status.peers.map((peer) => [peer.name, ...peer.paths.map((row) => row.lan)]),
    [
      ['web2', 'A', 'B'],
      ['web10', 'A', 'B'],
    ],
    'peers by name, numbers as numbers; paths by LAN',
  );
  t.match(status.peers[1]?.paths[0], {
    state: 'down',
    reason: 'silent',
    ageS: 4,
    lastHeardUs: 4_003_100,
    missed: 4003,
    via: 'B',
    standby: 'B',
    roundTripUs: null,
  });
  t.match(status.alternates, [{ peer: { id: web10, name: 'web10' }, lan: 'A', via: 'B' }]);
  t.same(JSON.parse(JSON.stringify(status)), status, 'plain JSON');
});

t.test('the exit status of `faild status` follows from any path that is down', async (t) => {
  t.equal(anyPathDown(build()), true);
  t.equal(anyPathDown(build({ paths: [path(web2, 0)] })), false);
  t.equal(anyPathDown(build({ paths: [path(web2, 0, { state: 'stopped' })] })), false);
});

t.test('the table', async (t) => {
  t.equal(
    renderStatus(build()),
    `web1 (00000000000000a1)  faild 1.2.3, requestor every 1 ms, down after 3, up after 10, raw

LAN A  eth0    10.0.1.1/24  up  1 up, 1 down                drained
LAN B  enp3s0  10.0.2.1/24  up  1 up, 0 down, 1 not judged

web2   A  10.0.1.2   up       212 us ago   rtt 81.3 us
       B  10.0.2.2   unknown  never heard  rtt 81.3 us
web10  A  10.0.1.10  down     4 s ago                   silent for 4 s, via B
       B  10.0.2.10  up       212 us ago   rtt 81.3 us
`,
  );
});

t.test('a whole LAN moved, no peers yet, and what was not granted', async (t) => {
  const moved = build({
    lans: [{ ...lan(0, 'A', 'eth0'), moved: true, carrier: false, state: 'down' }],
  });
  t.match(
    renderStatus(moved),
    /^LAN A {2}eth0 .* down .* no carrier, all traffic moved, drained$/m,
  );
  const alone = build({ peers: [], paths: [] }, false);
  t.match(renderStatus(alone), /^no peer heard yet: is faild running on the other hosts/m);
  t.match(
    renderStatus(alone),
    /^note: grant CAP_NET_RAW\nnote: grant CAP_SYS_NICE\nnote: grant CAP_IPC_LOCK$/m,
  );
});

t.test('a muted LAN, a drained host, a drained peer that is away', async (t) => {
  const [a, b] = snapshot.lans;
  const [peer, other] = snapshot.peers;
  if (!a || !b || !peer || !other) throw new Error('two LANs, two peers');
  const away = { state: 'stopped' as const, reason: 'drained', sinceUs: 17_000_000 };
  const more = {
    lans: [a, { ...b, muted: 2, mutedUntilUs: 21_500_000 }],
    peers: [{ ...peer, drained: true, untold: true }, other],
    paths: [path(web10, 0, away), path(web10, 1, away), path(web2, 0)],
  };
  const status = build(more, true, true);
  t.equal(status.host.drained, true);
  t.notOk('hostDrained' in status.plan, 'it is told once');
  t.same(
    status.lans.map(({ muted }) => muted),
    [null, { direction: 'out', forUs: 1_500_000 }],
  );
  t.match(status.peers, [
    { name: 'web2', drained: false, untold: false },
    { name: 'web10', drained: true, untold: true },
  ]);
  t.equal(anyPathDown(status), false, 'its absence is no fault');
  const text = renderStatus(status);
  t.match(text, /^THIS HOST IS DRAINED: .*'faild undrain --host'\n\nLAN A /m);
  t.match(text, /^LAN A .* drained$/m);
  t.match(text, /^LAN B .* muted \(not sent\) for 1\.5 s$/m);
  t.match(text, /^web10 \(drained\) {2}A .* stopped .* silent for 3 s, as planned$/m);
  t.match(
    renderSummary(status),
    /^drained, LAN A up drained, LAN B up muted \(not sent\) for 1\.5 s; 2 peers, no path down$/,
  );
});

t.test('durations', async (t) => {
  const cases: [number, string][] = [
    [0, '0 us'],
    [50, '50 us'],
    [999, '999 us'],
    [1000, '1 ms'],
    [3210, '3.2 ms'],
    [12_345, '12.3 ms'],
    [999_499, '999 ms'],
    [1_500_000, '1.5 s'],
    [119_000_000, '119 s'],
    [120_000_000, '2 min'],
    [7_200_000_000, '2 h'],
    [864_000_000_000, '10 d'],
  ];
  for (const [us, text] of cases) t.equal(showDuration(us), text);
});

t.test("a LAN's own timing, and a longer interval that is still announced", async (t) => {
  const [a, b] = snapshot.lans;
  if (a === undefined || b === undefined) throw new Error('two LANs');
  const own = { ...b, intervalUs: 100_000, paceUs: 100_000, failAfter: 5, restoreAfter: 20 };
  const status = build({ lans: [{ ...a, intervalUs: 1000, paceUs: 500 }, own] });
  t.match(status.lans[1], { intervalUs: 100_000, paceUs: 100_000, failAfter: 5, restoreAfter: 20 });
  t.notOk('timing' in status.plan, 'it is told once');
  const text = renderStatus(status);
  t.match(text, /^LAN A .* still every 500 us, 1 ms is announced$/m);
  t.match(text, /^LAN B .* every 100 ms, down after 5, up after 20$/m);
});

// Aim: the engine's records become typed, named, dated events; and each has a sentence that an
// operator understands.
import t from 'tap';

import { type FaildEvent, translate } from '../../lib/cluster/events.js';
import { Peers } from '../../lib/cluster/peers.js';
import type { NativeEvent, NativePathRow, NativeSnapshot } from '../../lib/engine/native.js';
import { describe } from '../../lib/journal/log-lines.js';
import { plainHistograms } from './statuses.js';

const web2 = '00000000000000b2';
const now = { wallMs: Date.UTC(2026, 0, 1, 12), monotonicUs: 5_000_000 };

const blank: NativeEvent = {
  kind: '',
  atUs: 4_000_000,
  host: null,
  lan: 0,
  alternate: 0,
  state: 'unknown',
  previous: 'unknown',
  reason: 'none',
  drop: '',
  missed: 0,
  intervalUs: 0,
  silenceUs: 0,
  loss: 0,
  roundTripUs: 0,
  detectUs: 0,
  applyUs: 0,
  lateUs: 0,
  count: 0,
  id: 0,
  error: 0,
  destination: null,
};

const path = (lan: number, address: string): NativePathRow => ({
  host: web2,
  lan,
  state: 'up',
  reason: 'handshake',
  sinceUs: 0,
  silenceUs: 0,
  intervalUs: 1000,
  missed: 0,
  good: 0,
  goodNeeded: 10,
  roundTripUs: null,
  alternate: null,
  standby: null,
  received: 0,
  lost: 0,
  loss: 0,
  failovers: 0,
  forced: false,
  addresses: [address],
  mac: '',
});

const asked = { requestor: true, drained: false, untold: false };
const snapshot: NativeSnapshot = {
  takenUs: 0,
  peers: [{ host: web2, incarnation: '0000000000000001', name: 'web2', ...asked }],
  paths: [path(0, '10.0.1.2/24'), path(1, '10.0.2.2/24')],
  lans: [],
  counters: {},
  drops: {},
  histograms: plainHistograms,
  decodeErrors: {},
};

function makePeers(): Peers {
  const peers = new Peers([
    { name: 'A', interface: 'eth0' },
    { name: 'B', interface: 'eth1' },
  ]);
  peers.update(snapshot);
  return peers;
}

function translated(fields: Partial<NativeEvent>): FaildEvent {
  const event = translate({ ...blank, ...fields }, makePeers(), now);
  if (event === undefined) throw new Error(`not translated: ${fields.kind}`);
  return event;
}

const evidence = {
  reason: 'silent',
  silenceUs: 3200,
  missed: 3,
  intervalUs: 1000,
  loss: 0.03125,
  roundTripUs: 81.2,
  detectUs: 3200,
};

t.test('a failover carries names, evidence, timing and its date', async (t) => {
  const event = translated({
    kind: 'failover',
    host: web2,
    lan: 0,
    alternate: 1,
    ...evidence,
    detectUs: 3200,
    applyUs: 61,
  });
  t.same(event, {
    kind: 'failover',
    at: '2026-01-01T11:59:59.000Z',
    monotonicUs: 4_000_000,
    path: {
      peer: { id: web2, name: 'web2' },
      lan: { index: 0, name: 'A', interface: 'eth0' },
      address: '10.0.1.2',
    },
    via: { index: 1, name: 'B', interface: 'eth1' },
    reason: 'silent',
    lastHeardUs: 3200,
    missed: 3,
    intervalUs: 1000,
    loss: 0.0313,
    roundTripUs: 81.2,
    detectUs: 3200,
    applyUs: 61,
  });
});

t.test('a verdict carries what was recorded before it', async (t) => {
  const probe = { kind: 'inq' as const, lagUs: 0, urgent: false, unheard: false, refused: false };
  const ring = { lan: 0, intervalUs: 1000, verdictUs: null };
  const dump = {
    path: {
      ...ring,
      host: web2,
      probes: [{ ...probe, sent: false, atUs: 3_996_800, sequence: 8 }],
    },
    lan: { ...ring, host: null, probes: [{ ...probe, sent: true, atUs: 3_999_500, sequence: 5 }] },
  };
  const probes = [
    { atUs: -3200, direction: 'received', kind: 'inq', sequence: 8, unreadUs: 0 },
    { atUs: -500, direction: 'sent', kind: 'inq', sequence: 5, lateUs: 0 },
  ];
  const down = { kind: 'path-down', host: web2, lan: 0, ...evidence };
  t.match(translated({ ...down, dumps: [dump] }), { kind: 'path-down', probes });
  for (const lost of [translated({ ...down, dumps: [] }), translated(down)]) {
    t.match(lost, { probes: undefined, probesLost: true }, 'faild was too late for them');
  }
  t.equal('probesLost' in translated({ ...down, dumps: [dump] }), false);
  const lanDown = { kind: 'lan-down', lan: 0, count: 9, ...evidence };
  t.match(translated({ ...lanDown, dumps: [dump] }), {
    paths: 9,
    probes: [{ peer: { id: web2, name: 'web2' }, probes }],
  });
  t.notOk('probes' in translated({ ...lanDown, dumps: [] }));
});

t.test('answers to commands are not for users', async (t) => {
  t.equal(translate({ ...blank, kind: 'answer' }, makePeers(), now), undefined);
});

t.test('an unknown host goes by its id, and asks for a snapshot', async (t) => {
  const peers = makePeers();
  const stranger = { ...blank, kind: 'path-up', host: '00000000000000ff' };
  t.equal(peers.isStale([stranger]), true);
  t.equal(peers.isStale([{ ...stranger, host: web2 }]), false);
  t.equal(peers.isStale([{ ...stranger, host: web2, kind: 'peer-changed' }]), true);
  t.equal(peers.isStale([{ ...stranger, kind: 'dropped' }]), false, 'refused packets name nobody');
  t.match(translate(stranger, peers, now), {
    path: { peer: { id: '00000000000000ff', name: '00000000000000ff' }, address: null },
  });
});

const onA = { host: web2, lan: 0 };
const sentences: [Partial<NativeEvent>, level: string, sentence: string][] = [
  [{ kind: 'peer-found', host: web2 }, 'info', 'found: web2'],
  [
    { kind: 'path-up', ...onA, state: 'up', reason: 'handshake' },
    'info',
    'up: web2 (10.0.1.2) on LAN A: heard both ways',
  ],
  [
    { kind: 'path-down', ...onA, state: 'down', ...evidence },
    'warn',
    'down: web2 (10.0.1.2) on LAN A: silent for 3.2 ms, 3 packets missed at 1 ms',
  ],
  [
    { kind: 'failover', ...onA, alternate: 1, ...evidence },
    'warn',
    'failover: web2 (10.0.1.2) on LAN A -> LAN B: silent for 3.2 ms, 3 packets missed at 1 ms',
  ],
  [
    { kind: 'failover', ...onA, alternate: 1, ...evidence, reason: 'not-heard', detectUs: 400 },
    'warn',
    'failover: web2 (10.0.1.2) on LAN A -> LAN B: it does not hear us (we heard it 400 us ago)',
  ],
  [
    { kind: 'lan-failover', lan: 0, alternate: 1, count: 12, ...evidence, reason: 'lan-silent' },
    'warn',
    'failover: LAN A with 12 peers -> LAN B: its peers fell silent together: ' +
      'silent for 3.2 ms, 3 packets missed at 1 ms',
  ],
  [
    { kind: 'switchback', ...onA },
    'info',
    'switchback: web2 (10.0.1.2) on LAN A: traffic is on its own LAN again',
  ],
  [
    { kind: 'lan-switchback', lan: 0 },
    'info',
    'switchback: LAN A: its traffic is on its own LAN again',
  ],
  [
    { kind: 'lan-muted', lan: 0, count: 2, silenceUs: 1_500_000, reason: 'operator' },
    'warn',
    'muted on command: LAN A: its heartbeats are not sent, for 1.5 s at most',
  ],
  [
    { kind: 'lan-unmuted', lan: 0, count: 2, silenceUs: 40_000, reason: 'operator' },
    'info',
    'heartbeats count again on LAN A, after 40 ms',
  ],
  [
    { kind: 'peer-drained', host: web2 },
    'info',
    'drained: web2: if it falls silent now, that was planned',
  ],
  [{ kind: 'peer-undrained', host: web2 }, 'info', 'not drained any more: web2'],
  [
    { kind: 'path-stopped', ...onA, reason: 'drained' },
    'info',
    'stopped: web2 (10.0.1.2) on LAN A is silent as planned: its host is drained',
  ],
  [
    { kind: 'isolated', count: 4 },
    'error',
    "isolated: every LAN is silent (4 paths): the fault is probably this host's own; " +
      'routes stay as they are',
  ],
  [
    { kind: 'route-failed', error: 1, destination: '10.0.1.2/32' },
    'error',
    'route failed: the kernel refused a change for 10.0.1.2/32: EPERM',
  ],
  [
    { kind: 'dropped', drop: 'cross-connected', lan: 1, count: 2, host: web2 },
    'warn',
    'dropped: 2 packets from web2 on LAN B of another subnet than this LAN: ' +
      'are two LANs joined by a cable or a bridge?',
  ],
];

for (const [fields, level, sentence] of sentences) {
  t.test(sentence, async (t) => {
    t.same(describe(translated(fields)), { level, message: sentence });
  });
}

t.test('every other kind has a sentence too', async (t) => {
  const kinds = [
    'peer-restarted',
    'peer-changed',
    'path-stopped',
    'lan-down',
    'lan-up',
    'rejoined',
    'stalled',
    'receive-drops',
    'route-repaired',
    'adopted',
    'table-full',
  ];
  for (const kind of kinds)
    t.match(describe(translated({ kind, host: web2 })).message, /^[a-z ]+: \S/);
});

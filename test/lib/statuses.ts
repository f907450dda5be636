// Status documents for tests, written down as little as possible: peers with the states of their
// paths, all else as on a host where all is well.
import type { Measured } from '../../lib/cluster/faild.js';
import type { Status, StatusPath } from '../../lib/cluster/status.js';

type PathSketch = Partial<StatusPath> | StatusPath['state'];

/** Ids are the names, padded; LANs are those that are named, in the order of the alphabet. */
export function sketch(
  peers: Record<string, Record<string, PathSketch>>,
  { drained = [] as string[], alive = true, lansDown = [] as string[] } = {},
): Status {
  const lans = [...new Set(Object.values(peers).flatMap((paths) => Object.keys(paths)))].sort();
  const status = {
    ...plain,
    engine: { alive, heartbeats: 9 },
    plan: { ...plain.plan, preference: lans, drained },
    lans: lans.map((name, index) => ({
      ...plainLan,
      index,
      name,
      interface: `lan${name.toLowerCase()}`,
      state: lansDown.includes(name) ? ('down' as const) : ('up' as const),
      drained: drained.includes(name),
    })),
    peers: Object.entries(peers).map(([name, paths], at) => ({
      id: idOf(name),
      name,
      incarnation: '0000000000000001',
      requestor: true,
      drained: false,
      untold: false,
      paths: Object.entries(paths).map(([lan, said]) => pathOf(lan, at, said)),
    })),
  };
  const alternates = status.peers.flatMap(({ id, name, paths }) =>
    paths.flatMap(({ lan, via, reason, since }) =>
      via === null ? [] : [{ peer: { id, name }, lan, via, reason, since }],
    ),
  );
  return { ...status, alternates };
}

const boundsUs = [10, 50, 1000];
/** Six waits, one of them later than all bounds, and three batches of routes. */
export const plainHistograms: Measured['histograms'] = {
  timerLateness: { boundsUs, counts: [1, 4, 0, 1], sumUs: 2_000_150.5 },
  netlinkRoundTrip: { boundsUs, counts: [0, 2, 1, 0], sumUs: 180 },
};

export function measured(status: Status): Measured {
  return { status, histograms: plainHistograms };
}

export function idOf(name: string): string {
  return Buffer.from(name).toString('hex').padStart(16, '0').slice(-16);
}

function pathOf(lan: string, at: number, said: PathSketch): StatusPath {
  const address = `10.${lan.charCodeAt(0) - 64}.0.${at + 2}/24`;
  const own = typeof said === 'string' ? { state: said } : said;
  return { ...plainPath, lan, addresses: [address], ...own };
}

const plainPath: StatusPath = {
  lan: '',
  state: 'up',
  reason: 'handshake',
  since: '2026-01-01T00:00:00.000Z',
  ageS: 60,
  lastHeardUs: 2000,
  intervalUs: 10_000,
  missed: 0,
  good: 10,
  goodNeeded: 10,
  roundTripUs: 50,
  via: null,
  standby: null,
  received: 100,
  lost: 0,
  loss: 0,
  failovers: 0,
  forced: false,
  addresses: [],
  mac: '02:00:00:00:00:01',
};

const plainLan: Status['lans'][number] = {
  index: 0,
  name: '',
  interface: '',
  state: 'up',
  since: '2026-01-01T00:00:00.000Z',
  ageS: 60,
  carrier: true,
  moved: false,
  drained: false,
  muted: null,
  addresses: ['10.1.0.1/24'],
  intervalUs: 10_000,
  paceUs: 10_000,
  failAfter: 3,
  restoreAfter: 10,
  paths: { up: 1, down: 0, other: 0 },
  sent: 1,
  received: 1,
};

const plain: Status = {
  schema: 'faild.status/1',
  version: '1.2.3',
  takenAt: '2026-01-01T00:01:00.000Z',
  ageUs: 120,
  engine: { alive: true, heartbeats: 9 },
  host: { id: '0000000000000001', name: 'we', incarnation: '0000000000000001', drained: false },
  cluster: 'default',
  settings: { requestor: true, intervalUs: 10_000, failAfter: 3, restoreAfter: 10, port: 9311 },
  plan: {
    preference: [],
    drained: [],
    switchback: 'auto',
    holdUs: 0,
    flapWindowUs: 0,
    grayLoss: 0,
    grayRoundTripUs: 0,
    rtoMinUs: 0,
    source: 'own',
    allowed: [],
  },
  transport: 'raw',
  transportHint: null,
  scheduling: { mode: 'fifo', hint: null },
  memory: { bytes: 1, locked: true, hint: null },
  lans: [],
  peers: [],
  alternates: [],
  counters: { packetsSent: 12, lateMaxUs: 1500, lateTotalUs: 2500 },
  drops: { 'other-cluster': 3, malformed: 0 },
  decodeErrors: { 'bad-magic': 1 },
  frameErrors: { 'too-short': 0 },
  lastRefusal: null,
};

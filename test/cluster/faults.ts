// What can go wrong, as data: a fault has a name, a place and a size, so that a list of them is a
// plan that can be generated, printed, shrunk and replayed. `strike` makes it happen.
import { type Cluster, milliseconds } from './cluster.js';

/** Where and how much: each kind takes what it needs. Numbers wrap around the cluster's own. */
export interface Fault {
  kind: FaultKind;
  lan: number;
  host: number;
  other: number;
  /** 0 to 999. */
  size: number;
  /** What the cluster does about it until the next fault. */
  pauseMs: number;
}

type Place = Omit<Fault, 'kind' | 'pauseMs'>;
type Action = (cluster: Cluster, place: Place) => void;

/** Faults of wires that stay until they are mended; the truth is either live or cut. */
const cuts = {
  'lan-dies': (cluster, { lan }) => cluster.cutLan(lan),
  'lan-heals': (cluster, { lan }) => cluster.healLan(lan),
  'host-cut': (cluster, { lan, host }) => cluster.cutHost(lan, host),
  'host-deaf': (cluster, { lan, host }) => cluster.cutHost(lan, host, 'in'),
  'host-mute': (cluster, { lan, host }) => cluster.cutHost(lan, host, 'out'),
  'host-heals': (cluster, { lan, host }) => cluster.healHost(lan, host),
  'one-way': (cluster, { lan, host, other }) => cluster.setLink(lan, host, other, { cut: true }),
  'switch-splits': (cluster, { lan, host, other }) => cluster.partition(lan, [host, other]),
  flapping: (cluster, { lan, size }) => {
    for (let flap = 0; flap < 4; flap++) {
      cluster.cutLan(lan);
      cluster.run((size / 5) * milliseconds);
      cluster.healLan(lan);
      cluster.run((size / 3) * milliseconds);
    }
  },
} satisfies Record<string, Action>;

/** Faults of wires that make packets uncertain. */
const noises = {
  lossy: (cluster, { lan, host, other, size }) =>
    cluster.setLink(lan, host, other, { lossPerMille: size }),
  delaying: (cluster, { lan, host, other, size }) =>
    cluster.setLink(lan, host, other, { delayUs: 20 * size }),
  duplicating: (cluster, { lan, host, other, size }) =>
    cluster.setLink(lan, host, other, { duplicatePerMille: size }),
  reordering: (cluster, { lan, host, other }) =>
    cluster.setLink(lan, host, other, { jitterUs: 30 * milliseconds }),
  mended: (cluster, { lan, host, other }) => {
    const mended = { cut: false, lossPerMille: 0, delayUs: 50, jitterUs: 20, duplicatePerMille: 0 };
    cluster.setLink(lan, host, other, mended);
  },
} satisfies Record<string, Action>;

/** Faults of daemons and of the machines that they run on. */
const troubles = {
  starts: (cluster, { host }) => cluster.start(host),
  restarts: (cluster, { host, size }) => {
    cluster.crash(host);
    cluster.run(size * milliseconds);
    cluster.start(host);
  },
  crashes: (cluster, { host }) => cluster.crash(host),
  stops: (cluster, { host }) => cluster.stop(host),
  'power-fails': (cluster, { host }) => cluster.powerOff(host),
  stalls: (cluster, { host, size }) => cluster.stall(host, (size / 3) * milliseconds),
  overrun: (cluster, { lan, host, size }) => cluster.overrun(lan, host, 1 + size),
  unplugged: (cluster, { lan, host }) => cluster.unplug(lan, host),
  plugged: (cluster, { lan, host }) => cluster.plug(lan, host),
  'new-card': (cluster, { lan, host }) => cluster.replaceInterface(lan, host),
  'entry-deleted': (cluster, { host, size }) => cluster.loseEntry(host, size, true),
  'news-lost': (cluster, { host, size }) => cluster.loseEntry(host, size, false),
} satisfies Record<string, Action>;

const actions = { ...cuts, ...noises, ...troubles };

export type FaultKind = keyof typeof actions;
export const cutKinds = Object.keys(cuts) as FaultKind[];
export const troubleKinds = Object.keys(troubles) as FaultKind[];
export const faultKinds = Object.keys(actions) as FaultKind[];

/** Makes it happen, and lets the cluster live with it for the fault's pause. */
export function strike(cluster: Cluster, fault: Fault): void {
  const act: Action = actions[fault.kind];
  act(cluster, {
    lan: fault.lan % cluster.lans.count,
    host: fault.host % cluster.hosts.length,
    other: fault.other % cluster.hosts.length,
    size: fault.size,
  });
  cluster.run(fault.pauseMs * milliseconds);
}

// The one door from TypeScript to the addon: the only file that loads it, and the only one that
// declares its classes and functions. What goes in and out of them is in shapes.ts.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { type NativeEngineClass, type RawEngineClass, withSnapshots } from './native-engine.js';
import type {
  NativeCommand,
  NativeEngineConfig,
  NativeEvent,
  NativeInterface,
  NativeLan,
  NativePathRow,
  NativeProbeQuery,
  NativeProbes,
  NativeSnapshot,
} from './shapes.js';

export type * from './shapes.js';

/**
 * One packet that the virtual engine wants to send. `to` null: broadcast. A unicast goes to `toMac`
 * where that is known, without asking who has the address.
 */
export interface VirtualSend {
  lan: number;
  to: string | null;
  toMac: string | null;
  payload: Uint8Array;
}
/** A neighbour has its address as `destination` and its MAC address as `gateway`. */
export interface VirtualRouteOp {
  kind: 'set' | 'remove' | 'neighbour';
  id: number;
  what: 'route' | 'rule' | 'neighbour';
  table: number;
  destination: string;
  gateway: string | null;
  outIfindex: number;
  source: string | null;
  alsoDirectIfindex: number;
  /** 0: the kernel's own. */
  rtoMinMs: number;
  priority: number;
}
export interface VirtualEffects {
  sends: VirtualSend[];
  routeOps: VirtualRouteOp[];
  events: NativeEvent[];
  resync: boolean;
}
/**
 * The same engine under a clock that the caller moves. No thread, no socket, no kernel: a
 * simulator's host. Throws EINVAL when `nowUs` goes back.
 */
export interface VirtualEngine {
  onPacket(
    nowUs: number,
    arrivedUs: number,
    lan: number,
    from: string,
    payload: Uint8Array,
    /** The frame's source, as the raw transport sees it; without it the sender's word counts. */
    fromMac?: string,
  ): VirtualEffects;
  /** The kernel dropped `count` packets of this LAN before anybody could read them. */
  onReceiveDrops(nowUs: number, lan: number, count: number): VirtualEffects;
  onLink(nowUs: number, lan: number, carrier: boolean): VirtualEffects;
  /** Our interface's index, MAC or addresses are now these; its `name` and `carrier` do not count. */
  onInterface(nowUs: number, lan: number, interface_: NativeLan): VirtualEffects;
  onRouteResult(nowUs: number, id: number, error: number): VirtualEffects;
  onEntryRemoved(
    nowUs: number,
    what: 'route' | 'rule',
    table: number,
    destination: string,
  ): VirtualEffects;
  /** The kernel's content, as route operations that were carried out. */
  onResync(nowUs: number, entries: VirtualRouteOp[]): VirtualEffects;
  onCommand(nowUs: number, command: NativeCommand | { kind: 'bye' }): VirtualEffects;
  onDeadline(nowUs: number): VirtualEffects;
  pollAtUs(): number;
  /** The path table alone, for who looks after every step. */
  paths(nowUs: number): NativePathRow[];
  snapshot(nowUs: number): NativeSnapshot;
  probes(nowUs: number, query: NativeProbeQuery): NativeProbes;
}

/** A decoded heartbeat, for tools and tests; fields as in docs/wire.md. */
export interface NativeHeartbeat {
  type: 'inq' | 'ack' | 'bye';
  requestor: boolean;
  solicit: boolean;
  ackByBroadcast: boolean;
  hearsYou: boolean;
  missingIsPartial: boolean;
  urgent: boolean;
  drained: boolean;
  cluster: number;
  host: string;
  incarnation: string;
  sequence: number;
  intervalUs: number;
  advertVersion: number;
  arrivalLan: number;
  to: string;
  toIncarnation: string;
  echoSequence: number;
  echoHoldUs: number;
  name: string;
  lans: { mac: string; addresses: string[] }[];
  missing: string[];
}

/** How timers are to be tried; `cpu` -1: any. */
export interface NativeTimerOrder {
  realtimePriority: number;
  cpu: number;
  periodUs: number;
  count: number;
}

/** From asking the kernel to its acknowledgment, each. */
export interface NativeRouteTimes {
  addUs: number[];
  replaceUs: number[];
  removeUs: number[];
}

/**
 * `onWake` is called when there are events to drain. A running engine does not keep the process
 * alive: whoever runs one does, by a timer, a socket or the like. An engine that nobody holds any
 * more is stopped without a goodbye.
 */
interface Addon {
  Engine: NativeEngineClass;
  VirtualEngine: new (config: NativeEngineConfig, nowUs: number) => VirtualEngine;
  listInterfaces(networkNamespace: string): NativeInterface[];
  /**
   * Removes everything of faild's from the kernel, whatever runs. Returns how many entries went.
   */
  cleanup(networkNamespace: string): number;
  /**
   * One datagram to the service manager's socket, as `$NOTIFY_SOCKET` names it. Returns 0 or an
   * errno; waits for a second at most.
   */
  notifyService(socket: string, message: string): number;
  /**
   * Ends this process at once with that status (0 to 255). Node's own ways to end wait for the
   * engine's thread, which may hang.
   */
  endProcess(status: number): never;
  monotonicUs(): number;
  /**
   * How late the wake-ups of a thread like the engine's are. Blocks for `count` periods.
   */
  measureTimers(order: NativeTimerOrder): { realtime: boolean; lateUs: number[] };
  /**
   * Adds, replaces and removes host routes of nobody's in a table that no rule leads to, by this
   * interface and gateway. Blocks until all are removed again.
   */
  measureRoutes(order: {
    networkNamespace: string;
    ifindex: number;
    gateway: string;
    count: number;
  }): NativeRouteTimes;
  /** Silence after which a path is dead, of the detector itself. */
  detectionTimeUs(intervalUs: number, failAfter: number): number;
  encodeHeartbeat(beat: NativeHeartbeat): Uint8Array;
  /** Throws an error whose `code` is the decoder's word (`too-short`, `bad-magic`, ...). */
  decodeHeartbeat(bytes: Uint8Array): NativeHeartbeat;
}

/** The checkout or the installed package: compiled files lie at different depths of it. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

function load(): Addon {
  const require = createRequire(import.meta.url);
  // build/Release of a checkout, else the prebuilt file for this platform.
  const open = require('pkg-prebuilds') as (root: string, options: object) => unknown;
  const addon = open(packageRoot(), { name: 'faild', napi_versions: [9] });
  const { Engine } = addon as { Engine: RawEngineClass };
  return { ...(addon as Omit<Addon, 'Engine'>), Engine: withSnapshots(Engine) };
}

export const native: Addon = load();

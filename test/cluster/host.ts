// One simulated host: its settings, its interfaces, its kernel, and - while its daemon runs - an
// engine. What the cluster does to it is in cluster.ts.
import {
  type NativeEngineConfig,
  type NativeEvent,
  type NativeLan,
  type NativePathRow,
  type NativePlan,
  type NativeTiming,
  native,
  type VirtualEngine,
} from '../../lib/engine/native.js';
import { bare, type Families, hostId, interfaceOf, isLinkLocal } from './addresses.js';
import { Kernel } from './kernel.js';

export interface HostOptions {
  requestor: boolean;
  intervalUs: number;
  failAfter: number;
  restoreAfter: number;
  /** What wins over these on one LAN. */
  lans?: Readonly<Record<number, Partial<NativeTiming>>>;
  /** What its plan says besides. */
  plan?: Readonly<Partial<NativePlan>>;
}

export const usualHost: Readonly<HostOptions> = {
  requestor: true,
  intervalUs: 10_000,
  failAfter: 3,
  restoreAfter: 10,
};

export class Host {
  readonly number: number;
  readonly options: Readonly<HostOptions>;
  /** By LAN; a reload changes it. */
  readonly timing: NativeTiming[];
  readonly interfaces: NativeLan[];
  readonly kernel: Kernel;
  /** Undefined while the daemon does not run. */
  engine: VirtualEngine | undefined;
  /** When the engine wants to be woken. */
  pollAtUs = Number.POSITIVE_INFINITY;
  /** The daemon's thread does not run before; its packets wait in its sockets. */
  stalledUntilUs = 0;
  /** It has said goodbye: nothing is decided any more. */
  stopping = false;
  /** Answers of the kernel that have not arrived yet. */
  unanswered = 0;
  /** Grows with every start; things planned for a former life do not happen. */
  life = 0;
  /** By its operator, as a whole. */
  drained = false;
  /** Until then it was starting, stalled or losing packets: no impression of it or by it counts. */
  excusedUntilUs = Number.NEGATIVE_INFINITY;
  /** It has read its kernel's dump, so it may write. */
  synced = false;
  /** Of all lives, oldest first. */
  readonly events: NativeEvent[] = [];
  /** When each LAN was judged dead as a whole, by LAN; only those that are. */
  readonly deadLans = new Map<number, number>();
  readonly #families: Families;
  readonly #macs: string[][];
  #replaced = 0;

  constructor(number: number, lans: number, options: HostOptions, families: Families) {
    this.number = number;
    this.options = options;
    const { intervalUs, failAfter, restoreAfter } = options;
    const own = { intervalUs, failAfter, restoreAfter };
    this.timing = Array.from({ length: lans }, (_, lan) => ({ ...own, ...options.lans?.[lan] }));
    this.#families = families;
    this.interfaces = Array.from({ length: lans }, (_, lan) => interfaceOf(lan, number, families));
    this.#macs = this.interfaces.map(({ mac }) => [mac]);
    this.kernel = new Kernel(this.interfaces);
  }

  get runs(): boolean {
    return this.engine !== undefined;
  }

  /** Nothing waits to be decided here, and the kernel owes no answer. */
  isQuiet(nowUs: number): boolean {
    return (
      this.synced &&
      !this.stopping &&
      this.unanswered === 0 &&
      nowUs >= this.stalledUntilUs &&
      this.pollAtUs > nowUs
    );
  }

  /** The addresses that others may send to: link-local ones are nobody's business but faild's. */
  addresses(lan: number): string[] {
    return (this.interfaces[lan]?.addresses ?? []).map(bare).filter((ip) => !isLinkLocal(ip));
  }

  /** Is it one of this host's own addresses? On this LAN, or on any. */
  owns(address: string, lan?: number): boolean {
    const places = lan === undefined ? this.interfaces : this.interfaces.slice(lan, lan + 1);
    return places.some(({ addresses }) => addresses.some((own) => bare(own) === address));
  }

  /** How it judges this LAN. */
  timingOn(lan: number): NativeTiming {
    const timing = this.timing[lan];
    if (timing === undefined) throw new RangeError(`no LAN ${lan}`);
    return timing;
  }

  /** From where its packets come on this LAN: IPv4 where there is one, else link-local IPv6. */
  sourceOf(lan: number): string {
    const own = (this.interfaces[lan]?.addresses ?? []).map(bare);
    return own.find((ip) => !ip.includes(':')) ?? own.find(isLinkLocal) ?? '';
  }

  lanOf(ifindex: number): number | undefined {
    const lan = this.interfaces.findIndex((face) => face.ifindex === ifindex);
    return lan < 0 ? undefined : lan;
  }

  /** All MAC addresses that it has ever had on this LAN. */
  macs(lan: number): readonly string[] {
    return this.#macs[lan] ?? [];
  }

  /** All LANs in their order; no hold time, no penalty, no limits, unless its options say so. */
  plan(): NativePlan {
    const off = {
      holdUs: 0,
      flapWindowUs: 0,
      grayLoss: 0,
      grayRoundTripUs: 0,
      rtoMinUs: 0,
      source: 'own' as const,
      allowed: [],
    };
    const preference = this.interfaces.map((_, lan) => lan);
    return {
      preference,
      drained: [],
      hostDrained: this.drained,
      switchback: 'auto',
      timing: this.timing,
      ...off,
      ...this.options.plan,
    };
  }

  /** A new life of the daemon. What its predecessor left in the kernel is still there. */
  boot(nowUs: number, cluster: string, seed: number, maxPeers: number): void {
    const config: NativeEngineConfig = {
      host: hostId(this.number),
      incarnation: (++this.life).toString(16).padStart(16, '0'),
      name: `host-${this.number}`,
      cluster,
      requestor: this.options.requestor,
      maxPeers,
      seed,
      lans: this.interfaces,
      plan: this.plan(),
    };
    this.engine = new native.VirtualEngine(config, nowUs);
    this.pollAtUs = this.engine.pollAtUs();
    this.stopping = false;
    this.unanswered = 0;
    this.synced = false;
    this.stalledUntilUs = 0;
    this.excusedUntilUs = nowUs;
    this.deadLans.clear();
  }

  stall(untilUs: number): void {
    this.stalledUntilUs = untilUs;
    this.excusedUntilUs = Math.max(this.excusedUntilUs, untilUs);
  }

  /** The daemon is gone; its kernel keeps what it has. */
  die(): void {
    this.engine = undefined;
    this.synced = false;
    this.pollAtUs = Number.POSITIVE_INFINITY;
    this.unanswered = 0;
    this.life++;
  }

  /** Another card in the same slot: a new index and a new MAC address, the same addresses. */
  replaceInterface(lan: number): NativeLan {
    const carrier = this.interfaces[lan]?.carrier ?? true;
    const next = { ...interfaceOf(lan, this.number, this.#families, ++this.#replaced), carrier };
    this.interfaces[lan] = next;
    this.#macs[lan]?.push(next.mac);
    return next;
  }

  paths(nowUs: number): NativePathRow[] {
    return this.engine?.paths(nowUs) ?? [];
  }
}

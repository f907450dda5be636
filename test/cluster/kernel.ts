// A host's kernel as far as routing goes: rules in the order of their preference, tables that they
// lead to, neighbour entries, and behind faild's rules the main table with the connected LANs. It
// answers operations as Linux does, keeps everything when the daemon dies, can be dumped, and can
// lose an entry behind the daemon's back.
import type { NativeLan, VirtualRouteOp } from '../../lib/engine/native.js';
import { bare, contains } from './addresses.js';

const errno = { ESRCH: 3, EEXIST: 17 };

/** One way out: straight to the destination when there is no gateway. */
export interface Way {
  ifindex: number;
  gateway: string | null;
}
/** Several ways: a multipath route; each flow takes one of them. */
export interface Route {
  table: number | 'main';
  ways: Way[];
  source: string;
}

/**
 * What Linux takes for the same entry: a rule by its table and selector, a route by its metric too.
 */
function keyOf(op: VirtualRouteOp): string {
  const key = `${op.what} ${op.table} ${op.destination}`;
  return op.what === 'route' ? `${key} metric ${op.priority}` : key;
}

function sameTarget(a: VirtualRouteOp, b: VirtualRouteOp): boolean {
  return (
    a.gateway === b.gateway &&
    a.outIfindex === b.outIfindex &&
    a.source === b.source &&
    a.alsoDirectIfindex === b.alsoDirectIfindex &&
    a.rtoMinMs === b.rtoMinMs &&
    a.priority === b.priority
  );
}

interface Index {
  /** In the order in which they are asked. */
  rules: VirtualRouteOp[];
  /** By `table address`: faild's tables hold routes to single hosts only. */
  routes: Map<string, VirtualRouteOp>;
}

/** Of several routes to one host, that with the lowest metric wins. */
function indexOf(entries: VirtualRouteOp[]): Index {
  const byPriority = [...entries].sort((a, b) => a.priority - b.priority);
  const routes = new Map<string, VirtualRouteOp>();
  for (const op of byPriority.filter(({ what }) => what === 'route')) {
    const place = `${op.table} ${bare(op.destination)}`;
    if (!routes.has(place)) routes.set(place, op);
  }
  return { rules: byPriority.filter(({ what }) => what === 'rule'), routes };
}

export class Kernel {
  /** Routes and rules, as the operations that made them. */
  readonly #entries = new Map<string, VirtualRouteOp>();
  /** MAC address by `ifindex address`. */
  readonly #neighbours = new Map<string, string>();
  readonly #interfaces: readonly NativeLan[];
  /** For look-ups: made anew when something has changed. */
  #index: Index | undefined;
  /** Grows with every operation on routes and rules. */
  changes = 0;
  /** Operations that changed nothing. */
  idle = 0;

  /** `interfaces` is the host's own list, which changes with it. */
  constructor(interfaces: readonly NativeLan[]) {
    this.#interfaces = interfaces;
  }

  /** Carries out one operation; the answer is an errno, 0 for done. */
  carryOut(op: VirtualRouteOp): number {
    if (op.what === 'neighbour') return this.#setNeighbour(op);
    this.changes++;
    this.#index = undefined;
    const old = this.#entries.get(keyOf(op));
    if (op.kind === 'remove') {
      if (!this.#entries.delete(keyOf(op))) this.idle++;
      return old === undefined ? errno.ESRCH : 0;
    }
    if (old !== undefined && sameTarget(old, op)) this.idle++;
    if (old !== undefined && op.what === 'rule') return errno.EEXIST;
    this.#entries.set(keyOf(op), op);
    return 0;
  }

  get entries(): VirtualRouteOp[] {
    return [...this.#entries.values()];
  }

  neighbour(ifindex: number, address: string): string | undefined {
    return this.#neighbours.get(`${ifindex} ${address}`);
  }

  /** What a dump of faild's tables and rules shows. */
  dump(): VirtualRouteOp[] {
    return this.entries.map((op) => ({ ...op, kind: 'set' }));
  }

  /** Somebody else deletes an entry. */
  lose(entry: VirtualRouteOp): void {
    this.#index = undefined;
    this.#entries.delete(keyOf(entry));
  }

  /** An interface is gone, and without a word all routes and neighbours that lead over it. */
  loseInterface(ifindex: number): void {
    this.#index = undefined;
    for (const [key, op] of this.#entries) {
      const leads = op.outIfindex === ifindex || op.alsoDirectIfindex === ifindex;
      if (op.what === 'route' && leads) this.#entries.delete(key);
    }
    for (const key of this.#neighbours.keys()) {
      if (key.startsWith(`${ifindex} `)) this.#neighbours.delete(key);
    }
  }

  /** The machine has booted. */
  clear(): void {
    this.#index = undefined;
    this.#entries.clear();
    this.#neighbours.clear();
  }

  /** The route of a packet to this address; undefined when there is none. */
  lookup(address: string): Route | undefined {
    this.#index ??= indexOf(this.entries);
    for (const { table, destination } of this.#index.rules) {
      const best = this.#index.routes.get(`${table} ${address}`);
      if (best === undefined || !contains(destination, address)) continue;
      return this.#routeBy(best, address);
    }
    return this.#lookupMain(address);
  }

  #routeBy(op: VirtualRouteOp, address: string): Route | undefined {
    const ways: Way[] = [{ ifindex: op.outIfindex, gateway: op.gateway }];
    if (op.alsoDirectIfindex !== 0) ways.push({ ifindex: op.alsoDirectIfindex, gateway: null });
    const source = op.source ?? this.#lookupMain(address)?.source;
    return source === undefined ? undefined : { table: op.table, ways, source };
  }

  /** The main table: each LAN is connected. */
  #lookupMain(address: string): Route | undefined {
    for (const { ifindex, addresses } of this.#interfaces) {
      const own = addresses.find((prefix) => contains(prefix, address));
      if (own === undefined) continue;
      return { table: 'main', ways: [{ ifindex, gateway: null }], source: bare(own) };
    }
    return undefined;
  }

  /** A MAC address of zeros takes the entry away. */
  #setNeighbour(op: VirtualRouteOp): number {
    const key = `${op.outIfindex} ${op.destination}`;
    const mac = op.gateway ?? '';
    if (mac === '00:00:00:00:00:00') {
      return this.#neighbours.delete(key) ? 0 : errno.ESRCH;
    }
    this.#neighbours.set(key, mac);
    return 0;
  }
}

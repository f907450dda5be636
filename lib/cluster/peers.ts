// What the engine's records leave out: the names of hosts and their addresses, kept from snapshots.
// Bookkeeping only: nothing is judged or routed by it. Owned by faild.ts, which brings a fresh
// snapshot whenever `isStale` says so.

import type { NativeEvent, NativeSnapshot } from '../engine/native.js';
import type { LanRef, NameBook, PeerRef } from './events.js';

const unknownLan = { name: '?', interface: '?' };

export class Peers implements NameBook {
  #names = new Map<string, string>();
  #addresses = new Map<string, string>();

  constructor(private readonly lans: readonly { name: string; interface: string }[]) {}

  /** Do these records speak of hosts whose name or addresses may be new? */
  isStale(events: readonly NativeEvent[]): boolean {
    return events.some(
      ({ kind, host }) =>
        kind === 'peer-changed' ||
        kind === 'peer-restarted' ||
        (host !== null && kind !== 'dropped' && !this.#names.has(host)),
    );
  }

  update(snapshot: NativeSnapshot): void {
    this.#names = new Map(snapshot.peers.map((row) => [row.host, row.name]));
    this.#addresses = new Map(
      snapshot.paths.flatMap(({ host, lan, addresses: [first] }) =>
        first === undefined ? [] : [[pathKey(host, lan), withoutLength(first)] as const],
      ),
    );
  }

  peer(id: string): PeerRef {
    return { id, name: this.#names.get(id) || id };
  }

  lan(index: number): LanRef {
    const { name, interface: device } = this.lans[index] ?? unknownLan;
    return { index, name, interface: device };
  }

  address(id: string, lan: number): string | null {
    return this.#addresses.get(pathKey(id, lan)) ?? null;
  }
}

function pathKey(host: string, lan: number): string {
  return `${host}/${lan}`;
}

function withoutLength(prefix: string): string {
  return prefix.split('/')[0] ?? prefix;
}

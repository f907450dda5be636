// What the readers have been told of every peer, path and LAN, so that after a loss of events the
// engine's table can tell them what they missed. Owned by faild.ts.
//
// An event and the row of the table that speaks of the same change carry the same instant. So a row
// is news when its state began later than the last one told, and an event that comes after the row
// is not told again.
import type { NativeEvent, NativeSnapshot } from './native.js';

const pathKinds: Record<string, string> = {
  up: 'path-up',
  down: 'path-down',
  stopped: 'path-stopped',
};
const lanKinds: Record<string, string> = { up: 'lan-up', down: 'lan-down' };
const stateKinds = new Set([...Object.values(pathKinds), ...Object.values(lanKinds)]);

/** What an event says where the table says nothing. */
const blank: NativeEvent = {
  kind: '',
  atUs: 0,
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
  detectUs: 0,
  applyUs: 0,
  lateUs: 0,
  loss: 0,
  roundTripUs: 0,
  count: 0,
  id: 0,
  error: 0,
  destination: null,
};

export class Told {
  readonly #hosts = new Set<string>();
  /** Of each path and LAN: when the state began that was told last. */
  readonly #sinceUs = new Map<string, number>();

  /** Notes what is about to be told. False: it has been told already. */
  note({ kind, host, lan, atUs }: NativeEvent): boolean {
    if (kind === 'peer-found' && host !== null) {
      const isNew = !this.#hosts.has(host);
      this.#hosts.add(host);
      return isNew;
    }
    if (!stateKinds.has(kind)) return true;
    const key = keyOf(host, lan);
    const isNew = atUs > (this.#sinceUs.get(key) ?? Number.NEGATIVE_INFINITY);
    if (isNew) this.#sinceUs.set(key, atUs);
    return isNew;
  }

  /** The table as events, oldest first; `note` tells which of them are news. */
  catchUp(snapshot: NativeSnapshot): NativeEvent[] {
    const rows = [...foundIn(snapshot), ...this.#lansIn(snapshot), ...pathsIn(snapshot)];
    return rows.sort((a, b) => a.atUs - b.atUs);
  }

  /** That a LAN is up is news only where it was said to be down. */
  #lansIn({ lans }: NativeSnapshot): NativeEvent[] {
    return lans
      .filter(({ state, index }) => state === 'down' || this.#sinceUs.has(keyOf(null, index)))
      .flatMap(({ state, index, sinceUs, pathsDown }) => {
        const kind = lanKinds[state];
        return kind === undefined
          ? []
          : [{ ...blank, kind, atUs: sinceUs, lan: index, count: pathsDown }];
      });
  }
}

function foundIn({ peers, paths }: NativeSnapshot): NativeEvent[] {
  const metUs = new Map<string, number>();
  for (const { host, sinceUs } of paths) {
    metUs.set(host, Math.min(sinceUs, metUs.get(host) ?? sinceUs));
  }
  return peers.map(({ host }) => ({
    ...blank,
    kind: 'peer-found',
    atUs: metUs.get(host) ?? 0,
    host,
  }));
}

/** A LAN that is down speaks for its paths. */
function pathsIn({ paths, lans }: NativeSnapshot): NativeEvent[] {
  const downLans = new Set(lans.filter(({ state }) => state === 'down').map(({ index }) => index));
  return paths.flatMap((row) => {
    const { host, lan, state, reason, missed, intervalUs, loss, sinceUs } = row;
    const kind = pathKinds[state];
    if (kind === undefined || (state === 'down' && downLans.has(lan))) return [];
    const times = { silenceUs: row.silenceUs ?? 0, roundTripUs: row.roundTripUs ?? 0 };
    const evidence = { reason, missed, intervalUs, loss, ...times };
    return [{ ...blank, kind, atUs: sinceUs, host, lan, state, ...evidence }];
  });
}

function keyOf(host: string | null, lan: number): string {
  return `${host ?? 'lan'}/${lan}`;
}

// Round trips of one path, one by one, for as long as somebody listens: what `faild bench` measures
// a LAN by. Served by control/routes.ts.
//
// The engine asks the peer by a solicit, as it does twice a minute anyway (docs/wire.md), and the
// peer answers as always; only the pace is another: at most one in 20 ms, a packet of some hundred
// bytes each way, to that peer alone.
import { codeOf } from '../base/errors.js';
import { checkScope, findPeer } from './moves.js';
import type { Status } from './status.js';

export interface RoundTrip {
  /** Null: no answer came. */
  roundTripUs: number | null;
}

/** What it needs of a running faild; faild.ts has it. */
export interface Prober {
  status(): Promise<Status>;
  /** Rejects with ETIMEDOUT when no answer comes, EAGAIN or EBUSY when it is too early to ask. */
  roundTrip(peer: string, lan: number): Promise<number>;
}

/** The engine asks no peer more often. */
const paceMs = 20;
/** Another listener is being served, or the engine asks for a reason of its own. */
const tooEarly = ['EAGAIN', 'EBUSY'];
/** Nothing comes back on this path, or nothing is heard of it at all. */
const unanswered = ['ETIMEDOUT', 'EHOSTUNREACH'];

/** `peer` is a name or a host id. Throws at the first step when there is no such path. */
export async function* sampleRoundTrips(
  prober: Prober,
  peer: string,
  lan: string,
): AsyncGenerator<RoundTrip, void> {
  const { host, index } = find(await prober.status(), peer, lan);
  for (;;) {
    const pause = new Promise((resolve) => setTimeout(resolve, paceMs));
    try {
      yield { roundTripUs: await prober.roundTrip(host, index) };
    } catch (error) {
      const code = codeOf(error) ?? '';
      if (unanswered.includes(code)) yield { roundTripUs: null };
      else if (!tooEarly.includes(code)) throw error;
    }
    await pause;
  }
}

function find(status: Status, peer: string, lan: string): { host: string; index: number } {
  checkScope(status, { lan, peer });
  const index = status.lans.findIndex(({ name }) => name === lan);
  return { host: findPeer(status.peers, peer).id, index };
}

// Draining this host: its peers hear that its silence is planned, and acknowledge that. What came
// of it is read from the status afterwards. Pure; used by faild.ts, which makes the plan.
import type { PeerRef } from './events.js';
import type { Status } from './status.js';
import { type Head, headOf } from './views.js';

export type HostDrainAction = 'drain-host' | 'undrain-host';

/** Served by control/routes.ts as the answer to `POST /v1/drain-host` and `/v1/undrain-host`. */
export interface HostDrainAnswer extends Head<'faild.host-drain/1'> {
  action: HostDrainAction;
  /** Peers that are up on some LAN now. */
  peers: number;
  /** Those of them that have not acknowledged it, within the time that the command waits. */
  untold: PeerRef[];
}

/**
 * How long they are waited for. Peers are asked for their acknowledgment 500 us apart; each may
 * need to be asked again.
 */
export function toldWithinMs(peers: number): number {
  return 2000 + peers;
}

/** Peers that are up and have yet to acknowledge whether this host is drained. */
export function untoldOf({ peers }: Status): PeerRef[] {
  return peers
    .filter((peer) => peer.untold && isUp(peer))
    .map(({ id, name }): PeerRef => ({ id, name }));
}

export function answerHostDrain(action: HostDrainAction, status: Status): HostDrainAnswer {
  return {
    ...headOf(status, 'faild.host-drain/1'),
    action,
    peers: status.peers.filter(isUp).length,
    untold: untoldOf(status),
  };
}

function isUp({ paths }: Status['peers'][number]): boolean {
  return paths.some(({ state }) => state === 'up');
}

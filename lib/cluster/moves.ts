// What came of a move that the operator asked for: `failover`, `switchback`, `drain`, `undrain`.
// Pure: read from the status afterwards. Used by faild.ts, which gives the engine the command.
import { FaildError } from '../base/errors.js';
import type { PeerRef } from './events.js';
import type { Status, StatusPath, StatusPeer } from './status.js';
import { type Head, headOf } from './views.js';

export type MoveAction = 'failover' | 'switchback' | 'drain' | 'undrain';

/** A LAN, and one peer on it; null: all of them. */
export interface MoveScope {
  lan: string;
  peer: string | null;
}

/** Served by control/routes.ts as the answer to `POST /v1/failover` and its like. */
export interface MoveAnswer extends Head<'faild.move/1'> {
  action: MoveAction;
  lan: string;
  peer: PeerRef | null;
  /** Paths that the command spoke of. */
  paths: number;
  /** Those of them whose traffic takes another LAN now. */
  away: number;
  /** Whose traffic takes this LAN now: for addresses on it, or as the alternate of another LAN. */
  users: { peer: PeerRef; lan: string }[];
  /** All LANs that are drained now. */
  drained: string[];
}

/** Throws ENOENT for a LAN or a peer that is not known. */
export function checkScope({ lans, peers }: Status, { lan, peer }: MoveScope): void {
  if (!lans.some(({ name }) => name === lan)) {
    throw unknownName('LAN', lan, lans.map(({ name }) => name).join(', '));
  }
  if (peer !== null) findPeer(peers, peer);
}

/** By name or id. Throws ENOENT, and EINVAL when two hosts call themselves so. */
export function findPeer(peers: readonly StatusPeer[], wanted: string): StatusPeer {
  const [found, other] = peers.filter(({ id, name }) => id === wanted || name === wanted);
  if (found === undefined) {
    throw unknownName('peer', wanted, peers.map(({ name }) => name).join(', ') || 'none yet');
  }
  if (other !== undefined) {
    const line = `'${wanted}' is the name of two peers: give an id, ${found.id} or ${other.id}`;
    throw new FaildError('EINVAL', line, { exitStatus: 2 });
  }
  return found;
}

/**
 * Has all traffic left that can? A drained LAN is no alternate either. The engine decides some
 * peers a step, so a large cluster takes it some milliseconds.
 */
export function hasLeft(status: Status, scope: MoveScope): boolean {
  const drained = status.plan.drained;
  const concerned = usersOf(status, scope).filter(
    ({ path }) => drained.includes(scope.lan) || path.lan === scope.lan,
  );
  return concerned.every(({ path, peer }) => {
    const moves = path.state === 'up' || path.state === 'down';
    const elsewhere = peer.paths.some(
      ({ lan, state }) => lan !== scope.lan && state === 'up' && !drained.includes(lan),
    );
    return !moves || !elsewhere;
  });
}

export function answerMove(action: MoveAction, status: Status, scope: MoveScope): MoveAnswer {
  const own = membersOf(status, scope).flatMap(({ paths }) =>
    paths.filter(({ lan }) => lan === scope.lan),
  );
  const peer = scope.peer === null ? null : findPeer(status.peers, scope.peer);
  return {
    ...headOf(status, 'faild.move/1'),
    action,
    lan: scope.lan,
    peer: peer === null ? null : refOf(peer),
    paths: own.length,
    away: own.filter(({ via }) => via !== null).length,
    users: usersOf(status, scope).map((user) => ({ peer: refOf(user.peer), lan: user.path.lan })),
    drained: status.plan.drained,
  };
}

function membersOf({ peers }: Status, { peer }: MoveScope): StatusPeer[] {
  return peers.filter(({ id, name }) => peer === null || id === peer || name === peer);
}

/** Whose traffic takes this LAN now. */
function usersOf(status: Status, scope: MoveScope): { peer: StatusPeer; path: StatusPath }[] {
  return membersOf(status, scope).flatMap((peer) =>
    peer.paths.filter(({ lan, via }) => (via ?? lan) === scope.lan).map((path) => ({ peer, path })),
  );
}

function refOf({ id, name }: PeerRef): PeerRef {
  return { id, name };
}

function unknownName(what: string, name: string, known: string): FaildError {
  const line = `there is no ${what} '${name}'; there are: ${known}`;
  return new FaildError('ENOENT', line, { exitStatus: 2 });
}

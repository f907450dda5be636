// Cutting a LAN for the sake of measuring, by filtering faild's own heartbeats: when it may be
// done, and what is answered. Pure; used by faild.ts, which gives the engine the command, and by
// `faild bench --cut` before it asks.
import { FaildError } from '../base/errors.js';
import type { MuteDirection } from './events.js';
import { checkScope, findPeer } from './moves.js';
import type { Status, StatusPeer } from './status.js';
import { type Head, headOf } from './views.js';

export interface CutOrder {
  lan: string;
  direction: MuteDirection;
  /** When it ends if nobody ends it before; the engine takes at most 60. */
  seconds: number;
}

/** Served by control/routes.ts as the answer to `POST /v1/cut` and `/v1/heal`. */
export interface CutAnswer extends Head<'faild.cut/1'> {
  lan: string;
  /** When the engine did it, on CLOCK_MONOTONIC. */
  atUs: number;
}

/** Both directions are ours: what we would send, what we would read. */
export const cutDirections: readonly MuteDirection[] = ['in', 'out', 'both'];

/**
 * The peers whose paths would be cut. Throws where traffic could not move, or would not come back,
 * or where the figures would be those of another failure. `peer`: it must be among them.
 */
export function checkCut(status: Status, lan: string, peer: string | null): StatusPeer[] {
  checkScope(status, { lan, peer });
  const { plan, lans, peers } = status;
  if (plan.drained.length > 0) {
    throw busy(`LAN ${plan.drained[0]} is drained: 'faild undrain ${plan.drained[0]}' first`);
  }
  if (plan.switchback !== 'auto') {
    throw busy(`switchback is ${plan.switchback}: traffic would not come back by itself`);
  }
  const row = lans.find(({ name }) => name === lan);
  if (row?.state === 'down' || row?.moved) throw busy(`LAN ${lan} is down already`);
  for (const one of peers) checkPeer(one, lan);
  const concerned = peers.filter((one) => pathOn(one, lan)?.state === 'up');
  const wanted = peer === null ? undefined : findPeer(peers, peer);
  if (concerned.length === 0 || (wanted && !concerned.includes(wanted))) {
    const whom = wanted === undefined ? 'no path' : `the path to ${wanted.name}`;
    throw busy(`${whom} on LAN ${lan} ${wanted === undefined ? 'is' : 'is not'} up`);
  }
  return wanted === undefined ? concerned : [wanted];
}

function checkPeer(peer: StatusPeer, lan: string): void {
  const path = pathOn(peer, lan);
  const elsewhere = peer.paths.some((other) => other.lan !== lan && other.state === 'up');
  if (path?.state === 'up' && !elsewhere) {
    throw busy(`${peer.name} is up on no other LAN: its traffic could not move`);
  }
  if ((path?.state === 'down' && elsewhere) || (path?.via ?? null) !== null) {
    throw busy(`${peer.name} is down on LAN ${lan}, or its traffic has moved already`);
  }
}

function pathOn({ paths }: StatusPeer, lan: string) {
  return paths.find((path) => path.lan === lan);
}

export function answerCut(status: Status, lan: string, atUs: number): CutAnswer {
  return { ...headOf(status, 'faild.cut/1'), lan, atUs };
}

function busy(line: string): FaildError {
  return new FaildError('EBUSY', `not now: ${line}`);
}

// Parts of the status document for one question each: `faild peers`, `faild paths`. Pure; served by
// control/routes.ts. Like all answers of the control socket they open with their schema, the age of
// what they say, and whether the engine's thread is alive.
import type { PeerRef } from './events.js';
import type { Status, StatusEngine, StatusHost, StatusPath, StatusPeer } from './status.js';

/** What every answer begins with. */
export interface Head<Schema extends string> {
  schema: Schema;
  /** When the tables were copied (ISO 8601, UTC), and how long ago that was. */
  takenAt: string;
  ageUs: number;
  engine: StatusEngine;
  host: StatusHost;
}

/**
 * `up`: all its paths are; `partly`: some; `down`: none, and it did not say goodbye; `stopped`: it
 * said goodbye, or its host is drained and silent; `unknown`: not judged yet.
 */
export type PeerState = 'up' | 'partly' | 'down' | 'stopped' | 'unknown';

export interface PeerSummary extends PeerRef {
  state: PeerState;
  incarnation: string;
  requestor: boolean;
  /** Its host is drained: when it falls silent on every LAN, that is no fault. */
  drained: boolean;
  paths: { up: number; down: number; other: number };
  /** Paths whose traffic takes another LAN now. */
  moved: number;
  /** On any LAN; null: never. */
  lastHeardUs: number | null;
}

export interface PeersView extends Head<'faild.peers/1'> {
  peers: PeerSummary[];
}

export interface PathView extends StatusPath {
  peer: PeerRef;
}

export interface PathsView extends Head<'faild.paths/1'> {
  paths: PathView[];
}

export function headOf<Schema extends string>(status: Status, schema: Schema): Head<Schema> {
  const { takenAt, ageUs, engine, host } = status;
  return { schema, takenAt, ageUs, engine, host };
}

export function peersView(status: Status): PeersView {
  return { ...headOf(status, 'faild.peers/1'), peers: status.peers.map(summaryOf) };
}

export function pathsView(status: Status, peers: readonly StatusPeer[]): PathsView {
  const paths = peers.flatMap(({ id, name, paths: own }) =>
    own.map((path) => ({ peer: { id, name }, ...path })),
  );
  return { ...headOf(status, 'faild.paths/1'), paths };
}

function summaryOf(peer: StatusPeer): PeerSummary {
  const { id, name, incarnation, requestor, drained, paths } = peer;
  const count = (state: string): number => paths.filter((path) => path.state === state).length;
  const [up, down] = [count('up'), count('down')];
  const heard = paths.flatMap(({ lastHeardUs }) => lastHeardUs ?? []);
  return {
    id,
    name,
    state: stateOf(paths, up, down),
    incarnation,
    requestor,
    drained,
    paths: { up, down, other: paths.length - up - down },
    moved: paths.filter(({ via }) => via !== null).length,
    lastHeardUs: heard.length === 0 ? null : Math.min(...heard),
  };
}

function stateOf(paths: readonly StatusPath[], up: number, down: number): PeerState {
  if (up > 0) return up === paths.length ? 'up' : 'partly';
  if (paths.some(({ state }) => state === 'stopped')) return 'stopped';
  return down > 0 ? 'down' : 'unknown';
}

// Why traffic for a peer goes where it goes: what each path was judged by, which LAN the engine has
// chosen, and what it would choose if a LAN died now. Pure; served by control/routes.ts. What the
// kernel really does is added by whoever asks (kernel-routes.ts), on the asker's time and not on the
// daemon's.
//
// `wayIf` says in TypeScript what native/core/planner.cc and engine_routes.cc do; a test in the lab
// holds the one against the other.

import type { NativeProbes } from '../engine/native.js';
import { ofPath, type RecordedProbe } from '../engine/probes.js';
import type { PeerRef } from './events.js';
import { findPeer } from './moves.js';
import type { Status, StatusLan, StatusPath, StatusPeer, StatusPlan } from './status.js';
import { type Head, headOf } from './views.js';

/** Where the daemon's kernel tables are, so that the asker looks at the same. */
export interface ExplainFacts {
  /** The network namespace's file, when one was asked for. */
  networkNamespace: string | null;
  /** Its inode number: equal for equal namespaces. */
  namespaceId: string;
}

/**
 * `own`: the path is up; `down`: it is not, so an alternate serves; `lan-dead`: not heard since its
 * LAN was judged dead; `by-hand`: the operator said so; `drained`: its LAN is to be free of traffic;
 * `returning`: the path is good again, and policy or hold time keep traffic away for now;
 * `no-alternate`: it is down or to be left, and nothing else reaches the peer; `waiting`: something
 * does, but was not heard lately enough, or the path itself is about to return; `not-judged`: unknown
 * or stopped, so that all stays as it is.
 */
export type Choice =
  | 'own'
  | 'down'
  | 'lan-dead'
  | 'by-hand'
  | 'drained'
  | 'returning'
  | 'no-alternate'
  | 'waiting'
  | 'not-judged';

export interface ExplainedPath {
  lan: Pick<
    StatusLan,
    'name' | 'interface' | 'state' | 'carrier' | 'moved' | 'drained' | 'failAfter'
  >;
  /** Verdict and evidence. */
  path: StatusPath;
  /** The LAN that traffic for these addresses takes. */
  takes: string;
  because: Choice;
  /**
   * Its last ones, newest last, by their age when the recorder was read: of a path that was judged
   * down as silent, and has not been heard since, the last ones before that verdict. Null: it was
   * not read.
   */
  probes: RecordedProbe[] | null;
  /** Of that verdict, as `atUs`; null: they are the last ones of now. */
  verdictAtUs: number | null;
}

/** Where traffic for the addresses on `lan` would go; null: nowhere, it stays where it is. */
export interface Way {
  lan: string;
  takes: string | null;
}

export interface Explanation extends Head<'faild.explain/1'> {
  peer: PeerRef & { incarnation: string; requestor: boolean; drained: boolean };
  plan: StatusPlan;
  network: ExplainFacts;
  paths: ExplainedPath[];
  /** One for each LAN that this peer is on. */
  ifDied: { lan: string; ways: Way[] }[];
}

/** Throws ENOENT for a peer that is not known. */
export function explain(
  status: Status,
  network: ExplainFacts,
  wanted: string,
  recorder: NativeProbes | null,
): Explanation {
  const peer = findPeer(status.peers, wanted);
  const { id, name, incarnation, requestor, drained, paths } = peer;
  return {
    ...headOf(status, 'faild.explain/1'),
    peer: { id, name, incarnation, requestor, drained },
    plan: status.plan,
    network,
    paths: paths.flatMap((path) => explainPath(status, peer, path, recorder)),
    ifDied: paths.map(({ lan }) => ({
      lan,
      ways: paths.map((path) => ({ lan: path.lan, takes: wayIf(lan, path, peer, status.plan) })),
    })),
  };
}

function explainPath(
  status: Status,
  peer: StatusPeer,
  path: StatusPath,
  recorder: NativeProbes | null,
): ExplainedPath[] {
  const found = status.lans.find(({ name }) => name === path.lan);
  if (found === undefined) return [];
  const { name, interface: device, state, carrier, moved, drained, failAfter } = found;
  const kept = recorder === null ? null : ofPath(recorder, peer.id, found.index);
  return [
    {
      lan: { name, interface: device, state, carrier, moved, drained, failAfter },
      path,
      takes: path.via ?? path.lan,
      because: choiceOf(path, found, status.plan, peer),
      probes: kept?.probes ?? null,
      verdictAtUs: kept?.verdictAtUs ?? null,
    },
  ];
}

function choiceOf(
  path: StatusPath,
  lan: StatusLan,
  plan: StatusPlan,
  { paths }: StatusPeer,
): Choice {
  const { state, via, forced } = path;
  if (state === 'unknown' || state === 'stopped') return 'not-judged';
  const toBeLeft = state === 'down' || forced || lan.drained;
  if (via === null) {
    if (!toBeLeft) return 'own';
    return alternates(path, paths, plan).length === 0 ? 'no-alternate' : 'waiting';
  }
  if (state === 'down') return 'down';
  if (forced) return 'by-hand';
  if (lan.drained) return 'drained';
  return lan.state === 'down' ? 'lan-dead' : 'returning';
}

/** The LAN that would carry `path`'s traffic if `dead` died now; null: there is none. */
export function wayIf(
  dead: string,
  path: StatusPath,
  { paths }: Pick<StatusPeer, 'paths'>,
  plan: StatusPlan,
): string | null {
  const current = path.via ?? path.lan;
  if (current !== dead) return current;
  const others = paths.filter(({ lan }) => lan !== dead);
  const home = path.state === 'up' && path.lan !== dead;
  const toBeLeft = path.forced || plan.drained.includes(path.lan);
  if (home && !toBeLeft) return path.lan;
  return alternates(path, others, plan)[0] ?? (home ? path.lan : null);
}

/**
 * In the order in which the planner would take them. A drained LAN is one only for traffic whose
 * own LAN fails it.
 */
function alternates(own: StatusPath, paths: readonly StatusPath[], plan: StatusPlan): string[] {
  const works = (lan: string): boolean =>
    lan !== own.lan && paths.some((path) => path.lan === lan && path.state === 'up');
  const usable = plan.preference.filter(works);
  const free = usable.filter((lan) => !plan.drained.includes(lan));
  const ownWorks = paths.some(({ lan, state }) => lan === own.lan && state === 'up');
  return ownWorks ? free : [...free, ...usable.filter((lan) => plan.drained.includes(lan))];
}

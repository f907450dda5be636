// `faild status` for people: what is wrong first, then one line a LAN and one a path, aligned.
// Pure; used by cli.ts, and by daemon.ts for the one line of `systemctl status`.

import { align, type Row } from '../base/text-table.js';
import { showDuration } from '../base/units.js';
import type {
  Status,
  StatusLan,
  StatusPath,
  StatusPeer,
  StatusSettings,
} from '../cluster/status.js';
import { muted } from '../journal/log-lines.js';

export function renderStatus(status: Status): string {
  return [
    ...engineLine(status),
    headline(status),
    ...drainedLine(status),
    '',
    ...align(status.lans.map((lan) => lanRow(lan, status.settings))),
    '',
    ...(status.peers.length === 0 ? [noPeers(status)] : align(status.peers.flatMap(peerRows))),
    ...notes(status),
    '',
  ].join('\n');
}

/** A thread that hangs is said loudly and first. */
export function engineLine({ engine, ageUs }: Pick<Status, 'engine' | 'ageUs'>): string[] {
  if (engine.alive) return [];
  return [`THE ENGINE'S THREAD DOES NOT ANSWER: all of this is ${showDuration(ageUs)} old`, ''];
}

/** It is forgotten easily, for nothing is amiss. */
function drainedLine({ host }: Status): string[] {
  if (!host.drained) return [];
  return ["THIS HOST IS DRAINED: peers take its silence for planned, until 'faild undrain --host'"];
}

/** How old a table is, under it. */
export function ageLine({ engine, ageUs }: Pick<Status, 'engine' | 'ageUs'>): string {
  const thread = engine.alive ? "the engine's thread is alive" : "the engine's thread hangs";
  return `(${showDuration(ageUs)} old; ${thread})`;
}

/** One line: `LAN A up, LAN B down; 12 peers, 12 of 24 paths down`. */
export function renderSummary({ host, lans, peers }: Status): string {
  const words = lans.map((lan) =>
    [`LAN ${lan.name} ${shownState(lan.state)}`, ...onCommand(lan)].join(' '),
  );
  if (host.drained) words.unshift('drained');
  const paths = peers.flatMap((peer) => peer.paths);
  const down = paths.filter(({ state }) => state === 'down').length;
  const bad = down === 0 ? 'no path down' : `${down} of ${paths.length} paths down`;
  return `${words.join(', ')}; ${peers.length === 1 ? '1 peer' : `${peers.length} peers`}, ${bad}`;
}

function headline({ host, settings, transport, version, cluster }: Status): string {
  const role = settings.requestor ? 'requestor' : 'responder';
  const pace = settings.requestor ? ` every ${showDuration(settings.intervalUs)}` : '';
  const where = cluster === 'default' ? '' : `, cluster ${cluster}`;
  const limits = `down after ${settings.failAfter}, up after ${settings.restoreAfter}`;
  return (
    `${host.name} (${host.id})  faild ${version}, ${role}${pace}, ${limits}, ` +
    `${transport}${where}`
  );
}

export function lanRow(lan: StatusLan, settings: StatusSettings): Row {
  const { up, down, other } = lan.paths;
  const waiting = other > 0 ? `, ${other} not judged` : '';
  return [
    `LAN ${lan.name}`,
    lan.interface,
    lan.addresses[0] ?? 'no address',
    shownState(lan.state),
    `${up} up, ${down} down${waiting}`,
    [
      lan.carrier ? '' : 'no carrier',
      lan.moved ? 'all traffic moved' : '',
      ...onCommand(lan),
      ownTiming(lan, settings),
    ]
      .filter(Boolean)
      .join(', '),
  ];
}

function onCommand({ drained, muted: by }: StatusLan): string[] {
  const mute =
    by === null ? [] : [`muted (not ${muted[by.direction]}) for ${showDuration(by.forUs)}`];
  return [...(drained ? ['drained'] : []), ...mute];
}

/** Where it is not the host's, or not yet. */
function ownTiming(lan: StatusLan, settings: StatusSettings): string {
  const every = showDuration(lan.intervalUs);
  const changing = lan.paceUs < lan.intervalUs;
  return [
    changing ? `still every ${showDuration(lan.paceUs)}, ${every} is announced` : '',
    !changing && settings.requestor && lan.intervalUs !== settings.intervalUs
      ? `every ${every}`
      : '',
    lan.failAfter === settings.failAfter ? '' : `down after ${lan.failAfter}`,
    lan.restoreAfter === settings.restoreAfter ? '' : `up after ${lan.restoreAfter}`,
  ]
    .filter(Boolean)
    .join(', ');
}

function shownState(state: StatusLan['state']): string {
  return state === 'no-peer' ? 'no peer' : state;
}

function peerRows(peer: StatusPeer): Row[] {
  return peer.paths.map((path, at) => [at === 0 ? nameOf(peer) : '', ...pathRow(path)]);
}

export function nameOf({ name, drained }: StatusPeer): string {
  return drained ? `${name} (drained)` : name;
}

export function pathRow(path: StatusPath): Row {
  return [
    path.lan,
    path.addresses[0]?.split('/')[0] ?? '',
    path.state,
    path.lastHeardUs === null ? 'never heard' : `${showDuration(path.lastHeardUs)} ago`,
    path.roundTripUs === null ? '' : `rtt ${showDuration(path.roundTripUs)}`,
    remark(path),
  ];
}

/** Only what is out of the ordinary. */
function remark(path: StatusPath): string {
  const age = showDuration(path.ageS * 1e6);
  return [
    path.state === 'down' ? `${path.reason} for ${age}` : '',
    path.state === 'stopped' ? showStopped(path.reason, age) : '',
    path.state === 'down' && path.good > 0 ? `${path.good} good` : '',
    path.via === null ? '' : `via ${path.via}`,
    path.via === null && path.standby === null ? 'no alternate' : '',
  ]
    .filter(Boolean)
    .join(', ');
}

function showStopped(reason: string, age: string): string {
  return reason === 'drained' ? `silent for ${age}, as planned` : `said goodbye ${age} ago`;
}

function noPeers({ settings }: Status): string {
  return settings.requestor
    ? 'no peer heard yet: is faild running on the other hosts, with the same port and cluster?'
    : 'no peer heard yet: at least one host must run as requestor (faild -r)';
}

function notes({ transportHint, scheduling, memory }: Status): string[] {
  const hints = [transportHint, scheduling.hint, memory.hint].filter((hint) => hint !== null);
  return hints.length === 0 ? [] : ['', ...hints.map((hint) => `note: ${hint}`)];
}

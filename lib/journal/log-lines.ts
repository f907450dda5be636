// Events as sentences: what an operator reads at three in the morning. Pure; log.ts adds the event
// itself as fields.
import { getSystemErrorName } from 'node:util';
import { showDuration } from '../base/units.js';
import type {
  EventKind,
  Evidence,
  FaildEvent,
  LanRef,
  MuteDirection,
  PathRef,
  PeerRef,
  Timing,
} from '../cluster/events.js';

export type Level = 'info' | 'warn' | 'error';

export interface LogLine {
  level: Level;
  message: string;
}

export const muted: Record<MuteDirection, string> = {
  in: 'read',
  out: 'sent',
  both: 'sent nor read',
};

type Describe<K extends EventKind> = (event: FaildEvent<K>) => string;

const lines: { [K in EventKind]: [Level, Describe<K>] } = {
  'peer-found': ['info', ({ peer }) => `found: ${peer.name}`],
  'peer-restarted': ['info', ({ peer }) => `restarted: ${peer.name}`],
  'peer-changed': [
    'info',
    ({ peer }) => `changed: ${peer.name} has another name or other addresses`,
  ],
  'peer-forgotten': [
    'info',
    ({ peer, reason }) =>
      `forgotten: ${peer.name}, ${reason === 'operator' ? 'not allowed any more' : 'gone for long, made room'}`,
  ],
  'path-up': ['info', ({ path, reason }) => `up: ${showPath(path)}: ${upReason(reason)}`],
  'path-down': ['warn', (event) => `down: ${showPath(event.path)}: ${because(event)}`],
  'path-stopped': [
    'info',
    ({ path, reason }) => `stopped: ${showPath(path)} ${stoppedBecause(reason)}`,
  ],
  'lan-down': ['warn', (e) => `down: LAN ${e.lan.name} with ${paths(e.paths)}: ${because(e)}`],
  'lan-up': ['info', ({ lan }) => `up: LAN ${lan.name} (${lan.interface})`],
  failover: [
    'warn',
    (event) => `failover: ${showPath(event.path)} -> LAN ${event.via.name}: ${verdict(event)}`,
  ],
  switchback: [
    'info',
    ({ path }) => `switchback: ${showPath(path)}: traffic is on its own LAN again`,
  ],
  'lan-failover': ['warn', (e) => `failover: ${moved(e)} -> LAN ${e.via.name}: ${verdict(e)}`],
  'lan-switchback': [
    'info',
    ({ lan }) => `switchback: LAN ${lan.name}: its traffic is on its own LAN again`,
  ],
  isolated: [
    'error',
    ({ paths: count }) =>
      `isolated: every LAN is silent (${count} paths): the fault is probably this host's own; ` +
      'routes stay as they are',
  ],
  rejoined: ['info', () => 'rejoined: peers are heard again'],
  stalled: [
    'info',
    ({ lateUs }) =>
      `stalled: this host ran ${showDuration(lateUs)} late; deadlines were moved, no peer is ` +
      `blamed`,
  ],
  'receive-drops': [
    'warn',
    ({ lan, count }) =>
      `overrun: the kernel dropped ${count} packets of LAN ${lan.name} unread; no peer is blamed`,
  ],
  dropped: ['warn', describeDrop],
  'route-failed': [
    'error',
    ({ errno, destination }) =>
      `route failed: the kernel refused a change for ${destination ?? 'a rule'}: ` +
      `${errnoName(errno)}`,
  ],
  'route-repaired': [
    'warn',
    ({ destination, count }) =>
      `route repaired: something deleted ${destination ?? `${count} entries`} of faild's; put back`,
  ],
  adopted: ['info', ({ count }) => `adopted: ${count} routes of an earlier run are kept in force`],
  'table-full': [
    'error',
    ({ peer }) => `table full: ${peer?.name ?? 'a host'} is ignored; raise --max-peers`,
  ],
  'lan-muted': [
    'warn',
    ({ lan, direction, forUs }) =>
      `muted on command: LAN ${lan.name}: its heartbeats are not ${muted[direction]}, for ` +
      `${showDuration(forUs)} at most`,
  ],
  'lan-unmuted': [
    'info',
    ({ lan, forUs }) => `heartbeats count again on LAN ${lan.name}, after ${showDuration(forUs)}`,
  ],
  'peer-drained': [
    'info',
    ({ peer }) => `drained: ${peer.name}: if it falls silent now, that was planned`,
  ],
  'peer-undrained': ['info', ({ peer }) => `not drained any more: ${peer.name}`],
  lost: ['warn', ({ count }) => `lost: ${count} events came too fast to be told; see faild status`],
};

export function describe(event: FaildEvent): LogLine {
  const [level, sentence] = lines[event.kind] as [Level, (event: FaildEvent) => string];
  return { level, message: sentence(event) };
}

export function showPath({ peer, lan, address }: PathRef): string {
  return `${peer.name}${address === null ? '' : ` (${address})`} on LAN ${lan.name}`;
}

function moved({ lan, paths: count }: { lan: LanRef; paths: number }): string {
  return count > 0 ? `LAN ${lan.name} with ${paths(count)}` : `LAN ${lan.name}`;
}

function paths(count: number): string {
  return count === 1 ? '1 peer' : `${count} peers`;
}

/**
 * The event comes with the kernel's acknowledgment: what counted was the silence until the
 * verdict.
 */
function verdict(event: Evidence & Timing): string {
  return because({ ...event, lastHeardUs: event.detectUs });
}

/** The reason and its evidence. */
export function because(evidence: Evidence): string {
  const { reason, lastHeardUs, missed, intervalUs, loss, roundTripUs } = evidence;
  const silence = `silent for ${showDuration(lastHeardUs)}, ${showMissed(missed, intervalUs)}`;
  switch (reason) {
    case 'silent':
      return silence;
    case 'lan-silent':
      return `its peers fell silent together: ${silence}`;
    case 'not-heard':
      return `it does not hear us (we heard it ${showDuration(lastHeardUs)} ago)`;
    case 'carrier':
      return 'our interface has no carrier';
    case 'never-heard':
      return 'never heard here, though it is up on another LAN';
    case 'adopted':
      return 'found in force at the start';
    case 'operator':
      return 'on command';
    case 'lossy':
      return `it loses ${(loss * 100).toFixed(1)} % of its packets`;
    case 'slow':
      return `its round trip takes ${showDuration(roundTripUs ?? 0)}`;
    default:
      return reason;
  }
}

/** How a peer went whose absence is no fault. */
export function stoppedBecause(reason: string): string {
  return reason === 'drained' ? 'is silent as planned: its host is drained' : 'said goodbye';
}

function showMissed(missed: number, intervalUs: number): string {
  const pace = showDuration(intervalUs);
  if (missed === 0) return `with a packet due every ${pace}`;
  return `${missed === 1 ? '1 packet' : `${missed} packets`} missed at ${pace}`;
}

function errnoName(errno: number): string {
  return errno > 0 ? getSystemErrorName(-errno) : `error ${errno}`;
}

export function upReason(reason: string): string {
  if (reason === 'handshake') return 'heard both ways';
  return reason === 'revalidated' ? 'proven good again' : reason;
}

/** What to look at, for the drops that have one likely cause. */
const dropCauses: Record<string, string> = {
  'other-cluster': 'of another cluster: give it another --port or the same --cluster',
  'own-packet': 'with our own host id: a looping LAN, or a second faild with a copied --state-dir',
  'cross-connected': 'of another subnet than this LAN: are two LANs joined by a cable or a bridge?',
  'table-full': 'of a host beyond --max-peers',
};

function describeDrop(event: FaildEvent<'dropped'>): string {
  const { drop, lan, peer, count } = event;
  const from: PeerRef | null = peer;
  const cause = dropCauses[drop] ?? `refused: ${drop}`;
  const sender = from === null ? '' : ` from ${from.name}`;
  return (
    `dropped: ${count === 1 ? 'a packet' : `${count} packets`}${sender} on LAN ` +
    `${lan.name} ${cause}`
  );
}

// Every setting of faild in one table. From it come the flags and their help (cli.ts), the checks
// of flags and of library options (config.ts), the keys of the configuration file
// (config-file.ts), the JSON Schema (schema.ts) and the README's table (scripts/generate.mjs): a
// name, a range or a default is written down once.
import { hook, maxHooks } from './hook-kind.js';
import {
  address,
  choice,
  duration,
  endpoint,
  interfacePattern,
  type Kind,
  lan,
  milliseconds,
  orOff,
  path,
  peer,
  percentage,
  size,
  text,
  timing,
  toggle,
  whole,
} from './kinds.js';

export type { LanChoice } from './kinds.js';

export type DestinationChoice = 'broadcast' | 'multicast' | 'unicast';
export type TransportChoice = 'auto' | 'raw' | 'udp';
export type SwitchbackChoice = 'auto' | 'sticky' | 'manual';

export type SourceChoice = 'own' | 'alternate';

export interface Setting {
  /** The option's name in TypeScript, and commander's name for the long flag. */
  key: string;
  short?: string;
  long: string;
  /** The placeholder in the help; without one the flag is a switch. */
  argument?: string;
  /** The key in the file; unless said, the long flag without its dashes. Null: not for the file. */
  inFile?: string | null;
  help: string;
  kind: Kind;
  fallback?: unknown;
  /** A row of `faild --help` says this instead of the fallback. */
  fallbackText?: string;
  repeatable?: boolean;
  /** The most values of a repeatable one, where there is a limit. */
  most?: number;
  /** A reload applies a change at once; all else needs a restart. */
  live?: boolean;
}

/** Where the file is unless `--config` says otherwise. */
export const usualConfigFile = '/etc/faild/faild.yaml';

// Longer names are cut on the wire (kMaxNameBytes), so they are refused here.
const name = text(/^[\x21-\x7e]{1,32}$/, '1 to 32 printable ASCII characters without blanks');
const daysS = 24 * 3600;

const adminSuffix = '.admin';

/** In the order of the help text: the flags of 2003 first. */
export const settings: readonly Setting[] = [
  {
    key: 'requestor',
    short: '-r',
    long: '--requestor',
    inFile: 'role',
    help: 'send inquiries; without it, only answer those of others',
    kind: toggle('requestor', 'responder'),
    fallback: false,
  },
  {
    key: 'interval',
    short: '-t',
    long: '--interval',
    argument: '<seconds>',
    help: 'time between inquiries',
    kind: timing.interval,
    fallback: 0.1,
    live: true,
  },
  {
    key: 'failAfter',
    short: '-f',
    long: '--fail-after',
    argument: '<packets>',
    help: 'missed packets before a path is invalidated',
    kind: timing.failAfter,
    fallback: 3,
    live: true,
  },
  {
    key: 'restoreAfter',
    short: '-s',
    long: '--restore-after',
    argument: '<packets>',
    help: 'good packets in a row before a path is trusted again',
    kind: timing.restoreAfter,
    fallback: 10,
    live: true,
  },
  {
    key: 'port',
    short: '-p',
    long: '--port',
    argument: '<port>',
    help: 'UDP port, the same on every host',
    kind: whole(1, 65535),
    fallback: 9311,
  },
  {
    key: 'logFile',
    short: '-l',
    long: '--log-file',
    argument: '<path>',
    help: 'append the log to this file, one JSON line an event; SIGHUP reopens it',
    kind: path('file'),
    fallbackText: 'standard output',
  },
  {
    key: 'config',
    long: '--config',
    argument: '<path>',
    inFile: null,
    help: 'configuration file; flags win over it',
    kind: path('file'),
    fallbackText: `${usualConfigFile} if there is one`,
  },
  {
    key: 'lan',
    long: '--lan',
    argument: '<name=where>',
    inFile: 'lans',
    help: 'a LAN and its interface or subnet; once for each LAN, the preferred first',
    kind: lan(),
    repeatable: true,
    fallbackText: 'every suitable interface',
  },
  {
    key: 'ignoreInterface',
    long: '--ignore-interface',
    argument: '<pattern>',
    inFile: 'ignore-interfaces',
    help: 'leave such interfaces alone, besides those of containers and tunnels; repeatable',
    kind: interfacePattern,
    repeatable: true,
    fallbackText: 'none',
  },
  {
    key: 'allowPeer',
    long: '--allow-peer',
    argument: '<who>',
    inFile: 'peers-allowed',
    help: 'only these hosts are peers; repeatable, up to 64',
    kind: peer(),
    repeatable: true,
    most: 64,
    fallbackText: 'everybody',
    live: true,
  },
  {
    key: 'transport',
    long: '--transport',
    argument: '<kind>',
    help: 'raw (needs CAP_NET_RAW) or udp; hosts may differ',
    kind: choice('raw', 'udp', 'auto'),
    fallback: 'auto',
    fallbackText: 'raw where permitted',
  },
  {
    key: 'destination',
    long: '--destination',
    argument: '<how>',
    help: 'how inquiries reach everybody: broadcast, multicast, or unicast to each static peer; hosts may differ',
    kind: choice('broadcast', 'multicast', 'unicast'),
    fallback: 'broadcast',
  },
  {
    key: 'multicastGroup',
    long: '--multicast-group',
    argument: '<address>',
    help: 'IPv4 group to join, and to send to with multicast; the same on every host',
    kind: text(
      /^2(2[4-9]|3\d)(\.(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])){3}$/,
      'an IPv4 group from 224.0.0.0 to 239.255.255.255, such as 239.255.93.11',
    ),
    fallback: '239.255.93.11',
  },
  {
    key: 'staticPeer',
    long: '--static-peer',
    argument: '<address>',
    inFile: 'static-peers',
    help: 'an address of a peer on one LAN, for unicast; repeatable, up to 64',
    kind: address(),
    repeatable: true,
    most: 64,
    fallbackText: 'none',
  },
  {
    key: 'switchback',
    long: '--switchback',
    argument: '<how>',
    help: 'when a path is good again, traffic returns (auto), stays until the alternate fails (sticky) or until told (manual)',
    kind: choice('auto', 'sticky', 'manual'),
    fallback: 'auto',
    live: true,
  },
  {
    key: 'holdTime',
    long: '--hold-time',
    argument: '<duration>',
    help: 'a path that is good again waits this long before traffic returns',
    kind: duration(0, 30 * daysS, 30),
    fallback: 0,
    live: true,
  },
  {
    key: 'flapWindow',
    long: '--flap-window',
    argument: '<duration>',
    help: 'a path that fails again so soon must prove itself twice as long, up to 64 times',
    kind: orOff(duration(0.001, daysS, 60)),
    fallback: null,
    live: true,
  },
  {
    key: 'grayLoss',
    long: '--gray-loss',
    argument: '<percentage>',
    help: 'leave a path that loses more packets than this',
    kind: orOff(percentage(1, 100, 20)),
    fallback: null,
    live: true,
  },
  {
    key: 'grayRoundTrip',
    long: '--gray-round-trip',
    argument: '<duration>',
    help: 'leave a path whose round trip takes longer than this',
    kind: orOff(duration(0.00001, 60, 0.005)),
    fallback: null,
    live: true,
  },
  {
    key: 'rtoMin',
    long: '--rto-min',
    argument: '<duration>',
    help: "TCP's least retransmission time-out to peers, for connections to resume sooner",
    kind: orOff(milliseconds(0.001, 10, 0.005)),
    fallback: null,
    fallbackText: "off: the kernel's 200ms",
    live: true,
  },
  {
    key: 'source',
    long: '--source',
    argument: '<which>',
    help: "source address of traffic that has moved: this host's on the LAN that failed (own), or on the one that serves (alternate)",
    kind: choice('own', 'alternate'),
    fallback: 'own',
    live: true,
  },
  {
    key: 'cluster',
    long: '--cluster',
    argument: '<name>',
    help: 'hosts of other clusters on the same LANs are ignored',
    kind: name,
    fallback: 'default',
  },
  {
    key: 'hostName',
    long: '--host-name',
    argument: '<name>',
    help: 'what peers call this host in their logs',
    kind: name,
    fallbackText: "the system's host name",
  },
  {
    key: 'socket',
    long: '--socket',
    argument: '<path>',
    help: 'control socket, for `faild status`',
    // The kernel's sun_path holds 107 bytes and the final NUL.
    kind: text(/^[^\0]+$/, 'a path of at most 101 bytes', 107 - adminSuffix.length),
    fallback: '/run/faild/faild.sock',
  },
  {
    key: 'metricsPerPeer',
    long: '--metrics-per-peer',
    help: 'metrics of single peers as well; a thousand peers are ten thousand series',
    kind: toggle('on', 'off'),
    fallback: false,
    live: true,
  },
  {
    key: 'metricsListen',
    long: '--metrics-listen',
    argument: '<address:port>',
    help: 'serve /metrics, and nothing else, over TCP as well: to all who reach this address',
    kind: orOff(endpoint),
    fallback: null,
  },
  {
    key: 'hook',
    long: '--hook',
    argument: '<kinds=program>',
    inFile: 'hooks',
    help: 'run a program on such events, the event as JSON on its standard input; repeatable',
    kind: hook(),
    repeatable: true,
    most: maxHooks,
    fallbackText: 'none',
    live: true,
  },
  {
    key: 'stateDir',
    long: '--state-dir',
    argument: '<path>',
    help: 'directory that keeps the host id, what is drained and the history',
    kind: path('directory'),
    fallback: '/var/lib/faild',
  },
  {
    key: 'history',
    long: '--history',
    argument: '<size>',
    help: 'keep events on disk, over restarts, in no more than this',
    kind: orOff(size(1e6, 1e10, 16e6)),
    fallback: 16e6,
  },
  {
    key: 'realtimePriority',
    long: '--realtime-priority',
    argument: '<n>',
    help: "SCHED_FIFO priority of the engine's thread; 0: do not ask",
    kind: whole(0, 99),
    fallback: 50,
  },
  {
    key: 'cpu',
    long: '--cpu',
    argument: '<n>',
    help: "pin the engine's thread to this CPU",
    kind: whole(0, 1023),
    fallbackText: 'any',
  },
  {
    key: 'maxPeers',
    long: '--max-peers',
    argument: '<n>',
    help: 'hosts to have room for; memory is taken at the start',
    kind: whole(1, 16384),
    fallback: 4096,
  },
  {
    key: 'networkNamespace',
    long: '--network-namespace',
    argument: '<path>',
    help: 'network namespace to work in, such as /run/netns/blue',
    kind: path('network namespace'),
    fallbackText: 'the one it is started in',
  },
];

/** Where the owner's commands go, beside the socket that others may ask. */
export function adminSocket(socket: string): string {
  return `${socket}${adminSuffix}`;
}

/** The key of a setting in the file; null when it has none there. */
export function fileKey({ inFile, long }: Setting): string | null {
  return inFile === undefined ? long.slice(2) : inFile;
}

/** What holds when nobody says anything, in the file's words. */
export function fallbackShown({ fallback, fallbackText, kind }: Setting): string {
  return fallbackText ?? kind.show(fallback);
}

/** A value that was read, in the file's words; the fallback when there is none. */
export function shown(setting: Setting, value: unknown): string {
  if (value === undefined) return fallbackShown(setting);
  if (!setting.repeatable) return setting.kind.show(value);
  const items = value as readonly unknown[];
  return items.map((item) => setting.kind.show(item)).join(', ') || fallbackShown(setting);
}

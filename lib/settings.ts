// Every setting of faild in one table: its flags, its option's name, its default, what it accepts
// and how it is read. cli.ts makes its flags from it, config.ts checks flags and library options
// with it, and the help text shows it: a range is written down once.

/** One LAN that the operator named: `--lan A=eth1`. */
export interface LanChoice {
  name: string;
  interface: string;
}

export type TransportChoice = 'auto' | 'raw' | 'udp';

export interface Setting {
  /** The option's name in TypeScript, and commander's name for the long flag. */
  key: string;
  short?: string;
  long: string;
  /** The placeholder in the help; without one the flag is a switch. */
  argument?: string;
  help: string;
  /** Ends the sentence `... is not accepted: give ...`. */
  accepts: string;
  /**
   * The value, or undefined when it is not accepted. Takes a flag's text or a library option as it
   * is.
   */
  read(value: unknown): unknown;
  fallback?: unknown;
  /** A row of `faild --help` says this instead of the fallback. */
  fallbackText?: string;
  repeatable?: boolean;
}

/**
 * A plain decimal number, from text or as it is: no hex, no blanks, no `Infinity`, nothing after
 * it.
 */
export function readNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string' || !/^(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(value))
    return undefined;
  return Number(value);
}

function numberWithin(low: number, high: number): (value: unknown) => number | undefined {
  return (value) => {
    const number = readNumber(value);
    return number !== undefined && number >= low && number <= high ? number : undefined;
  };
}

function integerWithin(low: number, high: number): (value: unknown) => number | undefined {
  const within = numberWithin(low, high);
  return (value) => {
    const number = within(value);
    return Number.isInteger(number) ? number : undefined;
  };
}

function textMatching(pattern: RegExp): (value: unknown) => string | undefined {
  return (value) => (typeof value === 'string' && pattern.test(value) ? value : undefined);
}

function readLan(value: unknown): LanChoice | undefined {
  const [name, device] = typeof value === 'string' ? splitLan(value) : lanFields(value);
  if (name === undefined || device === undefined) return undefined;
  // An interface name is at most 15 bytes, without '/' or blanks (dev_valid_name in the kernel).
  if (!/^[\w.:/-]{1,32}$/.test(name) || !/^[^\s/=]{1,15}$/.test(device)) return undefined;
  return { name, interface: device };
}

function splitLan(text: string): [string?, string?] {
  const at = text.indexOf('=');
  return at < 0 ? [] : [text.slice(0, at), text.slice(at + 1)];
}

function lanFields(value: unknown): [string?, string?] {
  if (typeof value !== 'object' || value === null) return [];
  const { name, interface: device } = value as Partial<Record<string, unknown>>;
  return typeof name === 'string' && typeof device === 'string' ? [name, device] : [];
}

function readTransport(value: unknown): TransportChoice | undefined {
  return value === 'auto' || value === 'raw' || value === 'udp' ? value : undefined;
}

const readPath = textMatching(/^[^\0]+$/);
// Longer names are cut on the wire (kMaxNameBytes), so they are refused here.
const readName = textMatching(/^[\x21-\x7e]{1,32}$/);

/** In the order of the help text: the flags of 2003 first. */
export const settings: readonly Setting[] = [
  {
    key: 'requestor',
    short: '-r',
    long: '--requestor',
    help: 'send inquiries; without it, only answer those of others',
    accepts: 'true or false',
    read: (value) => (typeof value === 'boolean' ? value : undefined),
    fallback: false,
  },
  {
    key: 'interval',
    short: '-t',
    long: '--interval',
    argument: '<seconds>',
    help: 'time between inquiries',
    accepts: 'seconds from 0.00005 to 3600, with a fraction if wanted, such as 0.01',
    read: numberWithin(0.00005, 3600),
    fallback: 0.1,
  },
  {
    key: 'failAfter',
    short: '-f',
    long: '--fail-after',
    argument: '<packets>',
    help: 'missed packets before a path is invalidated',
    accepts: 'a whole number from 1 to 1000',
    read: integerWithin(1, 1000),
    fallback: 3,
  },
  {
    key: 'restoreAfter',
    short: '-s',
    long: '--restore-after',
    argument: '<packets>',
    help: 'good packets before a path is trusted again',
    accepts: 'a whole number from 1 to 100000',
    read: integerWithin(1, 100000),
    fallback: 10,
  },
  {
    key: 'port',
    short: '-p',
    long: '--port',
    argument: '<port>',
    help: 'UDP port, the same on every host',
    accepts: 'a whole number from 1 to 65535',
    read: integerWithin(1, 65535),
    fallback: 9311,
  },
  {
    key: 'logFile',
    short: '-l',
    long: '--log-file',
    argument: '<path>',
    help: 'append the log to this file; SIGHUP reopens it',
    accepts: 'the path of a file',
    read: readPath,
    fallbackText: 'standard output',
  },
  {
    key: 'lan',
    long: '--lan',
    argument: '<name=interface>',
    help: 'watch this interface and call its LAN so; once for each LAN, the preferred first',
    accepts: 'NAME=INTERFACE, such as A=eth1 (name: 1 to 32 letters, digits or . _ : / -)',
    read: readLan,
    repeatable: true,
    fallbackText: 'every suitable interface',
  },
  {
    key: 'transport',
    long: '--transport',
    argument: '<kind>',
    help: 'raw (needs CAP_NET_RAW) or udp; hosts may differ',
    accepts: 'raw, udp or auto',
    read: readTransport,
    fallback: 'auto',
    fallbackText: 'raw where permitted',
  },
  {
    key: 'cluster',
    long: '--cluster',
    argument: '<name>',
    help: 'hosts of other clusters on the same LANs are ignored',
    accepts: '1 to 32 printable ASCII characters without blanks',
    read: readName,
    fallback: 'default',
  },
  {
    key: 'hostName',
    long: '--host-name',
    argument: '<name>',
    help: 'what peers call this host in their logs',
    accepts: '1 to 32 printable ASCII characters without blanks',
    read: readName,
    fallbackText: "the system's host name",
  },
  {
    key: 'socket',
    long: '--socket',
    argument: '<path>',
    help: 'control socket, for `faild status`',
    // The kernel's sun_path holds 107 bytes and the final NUL.
    accepts: 'a path of at most 107 bytes',
    read: (value) => {
      const path = readPath(value);
      return path !== undefined && Buffer.byteLength(path) <= 107 ? path : undefined;
    },
    fallback: '/run/faild/faild.sock',
  },
  {
    key: 'stateDir',
    long: '--state-dir',
    argument: '<path>',
    help: 'directory that keeps the host id',
    accepts: 'the path of a directory',
    read: readPath,
    fallback: '/var/lib/faild',
  },
  {
    key: 'realtimePriority',
    long: '--realtime-priority',
    argument: '<n>',
    help: "SCHED_FIFO priority of the engine's thread; 0: do not ask",
    accepts: 'a whole number from 0 to 99',
    read: integerWithin(0, 99),
    fallback: 50,
  },
  {
    key: 'cpu',
    long: '--cpu',
    argument: '<n>',
    help: "pin the engine's thread to this CPU",
    accepts: 'a CPU number from 0 to 1023',
    read: integerWithin(0, 1023),
    fallbackText: 'any',
  },
  {
    key: 'maxPeers',
    long: '--max-peers',
    argument: '<n>',
    help: 'hosts to have room for; memory is taken at the start',
    accepts: 'a whole number from 1 to 16384',
    read: integerWithin(1, 16384),
    fallback: 4096,
  },
  {
    key: 'networkNamespace',
    long: '--network-namespace',
    argument: '<path>',
    help: 'network namespace to work in, such as /run/netns/blue',
    accepts: 'the path of a network namespace',
    read: readPath,
    fallbackText: 'the one it is started in',
  },
];

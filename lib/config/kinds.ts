// The kinds of values that settings have: how one is read from a flag, from a library's option and
// from the configuration file, how it is shown, what is said when it is not accepted, and how an
// editor knows it (JSON Schema). A range is written down once, in the call that makes the kind.
// Used by settings.ts, whose table says which setting is of which kind.
import { isIP } from 'node:net';

import {
  durationText,
  readDuration,
  readSize,
  sizeText,
  writeDuration,
  writeSize,
} from '../base/units.js';

export type JsonSchema = Record<string, unknown>;

export interface Kind {
  /** Ends the sentence `... is not accepted; give ...`. */
  accepts: string;
  /** From a flag's text or a library's option as it is; undefined: not accepted. */
  read(value: unknown): unknown;
  /** A value that was read, as the file says it. */
  show(value: unknown): string;
  /** The same as a flag says it, where that differs. */
  showFlag?(value: unknown): string;
  inFile: ScalarInFile | MapInFile;
}

/** One value of the file. Stricter than a flag: durations carry units, numbers are no text. */
export interface ScalarInFile {
  accepts: string;
  read(value: unknown): unknown;
  schema: JsonSchema;
}

/** Some values of the file, each after a dash or between brackets; at least one. */
export interface ListInFile {
  accepts: string;
  each: ScalarInFile;
  /** Each may be right and all together not. */
  fits?(values: readonly unknown[]): boolean;
}

/** A few values of the file under one entry; `Kind.read` takes them as an object. */
export interface MapInFile {
  fields: Record<string, ScalarInFile | ListInFile>;
  required: string;
  /** Exactly one of these must be there; an empty list asks for none. */
  either: readonly string[];
  /** What no two entries may have in common. */
  unique: readonly string[];
}

/** One LAN that the operator named: `A=eth1`, or by its subnet, `A=10.1.0.0/24`. */
export type LanChoice = LanTiming &
  (
    | { name: string; interface: string; subnet?: undefined }
    | { name: string; subnet: string; interface?: undefined }
  );

/** What wins over the host's own on this LAN. */
export interface LanTiming {
  /** Seconds between inquiries. */
  interval?: number | undefined;
  failAfter?: number | undefined;
  restoreAfter?: number | undefined;
}

export function whole(low: number, high: number): Kind {
  const within = numberWithin(low, high);
  const read = (value: unknown): number | undefined => {
    const number = within(value);
    return Number.isInteger(number) ? number : undefined;
  };
  const accepts = `a whole number from ${low} to ${high}`;
  const schema = { type: 'integer', minimum: low, maximum: high };
  return { accepts, read, show: String, inFile: { accepts, read: ifNumber(read), schema } };
}

/** The flags of 2003 say seconds without a unit; the file says the unit. */
export function plainSeconds(low: number, high: number, example: number): Kind {
  const accepts = `seconds from ${low} to ${high}, with a fraction if wanted, such as ${example}`;
  const read = numberWithin(low, high);
  return { ...duration(low, high, example), accepts, read, showFlag: String };
}

/** Seconds for a library; `30s` on a command line and in the file. */
export function duration(low: number, high: number, example: number): Kind {
  const within = numberWithin(low, high);
  const [from, to, such] = [low, high, example].map(writeDuration);
  const accepts = `a duration from ${from} to ${to}, such as ${such}`;
  const readText = (value: unknown) =>
    typeof value === 'string' ? within(readDuration(value)) : undefined;
  const schema = { type: 'string', pattern: durationText.source };
  return {
    accepts,
    read: (value) => (typeof value === 'number' ? within(value) : readText(value)),
    show: (value) => writeDuration(value as number),
    inFile: { accepts, read: readText, schema },
  };
}

/** What the kernel counts in whole milliseconds. */
export function milliseconds(low: number, high: number, example: number): Kind {
  const { accepts: some, inFile: file, read, ...kind } = duration(low, high, example);
  if (!('read' in file)) throw new Error('a duration is a scalar');
  const accepts = `${some}, without parts of a millisecond`;
  const ifWhole =
    (readAny: (value: unknown) => unknown) =>
    (value: unknown): unknown => {
      const seconds = readAny(value);
      const ms = Number(((seconds as number) * 1000).toPrecision(12));
      return Number.isInteger(ms) ? seconds : undefined;
    };
  return {
    ...kind,
    accepts,
    read: ifWhole(read),
    inFile: { ...file, accepts, read: ifWhole(file.read) },
  };
}

/** A share of 0 to 1 for a library; `20%` on a command line and in the file. */
export function percentage(low: number, high: number, example: number): Kind {
  const within = numberWithin(low / 100, high / 100);
  const text = /^(\d+(?:\.\d+)?)%$/;
  const accepts = `a percentage from ${low}% to ${high}%, such as ${example}%`;
  const readText = (value: unknown) =>
    typeof value === 'string'
      ? within(Number(text.exec(value)?.[1] ?? Number.NaN) / 100)
      : undefined;
  const schema = { type: 'string', pattern: text.source };
  return {
    accepts,
    read: (value) => (typeof value === 'number' ? within(value) : readText(value)),
    show: (value) => `${Number(((value as number) * 100).toPrecision(12))}%`,
    inFile: { accepts, read: readText, schema },
  };
}

/** Bytes for a library; `16MB` on a command line and in the file. */
export function size(low: number, high: number, example: number): Kind {
  const within = numberWithin(low, high);
  const [from, to, such] = [low, high, example].map(writeSize);
  const accepts = `a size from ${from} to ${to}, such as ${such}`;
  const readText = (value: unknown) =>
    typeof value === 'string' ? within(readSize(value)) : undefined;
  const schema = { type: 'string', pattern: sizeText.source };
  return {
    accepts,
    read: (value) => (typeof value === 'number' ? within(value) : readText(value)),
    show: (value) => writeSize(value as number),
    inFile: { accepts, read: readText, schema },
  };
}

/** The same, or `off`, which is null here and on the library's side. */
export function orOff(kind: Kind): Kind {
  const inFile = scalarOf(kind);
  const accepts = `${inFile.accepts}, or off`;
  const readOff =
    (read: (value: unknown) => unknown) =>
    (value: unknown): unknown =>
      value === 'off' || value === null ? null : read(value);
  return {
    accepts,
    read: readOff(kind.read),
    show: (value) => (value === null ? 'off' : kind.show(value)),
    inFile: {
      accepts,
      read: (value) => (value === null ? undefined : readOff(inFile.read)(value)),
      schema: { anyOf: [inFile.schema, { const: 'off' }] },
    },
  };
}

export function text(pattern: RegExp, accepts: string, maxBytes = Number.POSITIVE_INFINITY): Kind {
  const read = (value: unknown): string | undefined =>
    typeof value === 'string' && pattern.test(value) && Buffer.byteLength(value) <= maxBytes
      ? value
      : undefined;
  const schema: JsonSchema = { type: 'string', pattern: pattern.source };
  if (Number.isFinite(maxBytes)) schema.maxLength = maxBytes;
  return { accepts, read, show: String, inFile: { accepts, read, schema } };
}

export function path(what: string): Kind {
  return text(/^[^\0]+$/, `the path of a ${what}`);
}

export function choice(...names: readonly string[]): Kind {
  const accepts = `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
  const read = (value: unknown) => names.find((name) => name === value);
  return { accepts, read, show: String, inFile: { accepts, read, schema: { enum: names } } };
}

/** A switch on the command line, two words in the file. */
export function toggle(on: string, off: string): Kind {
  return {
    accepts: 'true or false',
    read: (value) => (typeof value === 'boolean' ? value : undefined),
    show: (value) => (value === true ? on : off),
    inFile: {
      accepts: `${on} or ${off}`,
      read: (value) => (value === on ? true : value === off ? false : undefined),
      schema: { enum: [on, off] },
    },
  };
}

const endpointText = /^(?:([\d.]+)|\[([\da-fA-F:.]+)\]):(\d{1,5})$/;

/** An address and port of a text that `endpoint` accepts; undefined of any other. */
export function readEndpoint(value: unknown): { host: string; port: number } | undefined {
  if (typeof value !== 'string') return undefined;
  const [, v4, v6, digits] = endpointText.exec(value) ?? [];
  const [host, port] = [v4 ?? v6 ?? '', Number(digits)];
  return isIP(host) !== 0 && port > 0 && port < 65536 ? { host, port } : undefined;
}

/** Where a server listens: `127.0.0.1:9312`, `[::1]:9312`. */
export const endpoint: Kind = (() => {
  const accepts = 'an address of this host and a port, such as 127.0.0.1:9312 or [::1]:9312';
  const read = (value: unknown) => (readEndpoint(value) === undefined ? undefined : value);
  const schema = { type: 'string', pattern: endpointText.source };
  return { accepts, read, show: String, inFile: { accepts, read, schema } };
})();

/** Of the host, and of a LAN that has its own. */
export const timing = {
  interval: plainSeconds(0.00005, 3600, 0.01),
  failAfter: whole(1, 1000),
  restoreAfter: whole(1, 100000),
};
type TimingKey = keyof typeof timing;
const timingKeys = Object.keys(timing) as TimingKey[];

// An interface name is at most 15 bytes, without '/' or blanks (dev_valid_name in the kernel).
const interfaceName = text(/^[^\s/=]{1,15}$/, 'the name of an interface, such as eth1');
const lanName = text(/^[\w.:/-]{1,32}$/, '1 to 32 letters, digits or . _ : / -');

/** `docker*`: `*` stands for any characters, `?` for one. */
export const interfacePattern = text(
  /^[^\s/=]{1,15}$/,
  'a pattern of at most 15 characters for interface names, such as docker*',
);

/** Whom a list of peers names: by subnet, address or host id. */
export function peer(): Kind {
  const accepts = 'a subnet such as 10.1.0.0/24, an address, or the 16 hex digits of a host id';
  const read = (value: unknown) =>
    typeof value === 'string' &&
    (isSubnet(value) || isIP(value) !== 0 || (hostId.test(value) && !/^0+$/.test(value)))
      ? value.toLowerCase()
      : undefined;
  return { accepts, read, show: String, inFile: { accepts, read, schema: { type: 'string' } } };
}

export function address(): Kind {
  const accepts = 'an address, such as 10.1.0.2';
  const read = (value: unknown) =>
    typeof value === 'string' && isIP(value) !== 0 ? value.toLowerCase() : undefined;
  return { accepts, read, show: String, inFile: { accepts, read, schema: { type: 'string' } } };
}

const hostId = /^[0-9a-f]{16}$/i;

const subnet: ScalarInFile = {
  accepts: 'a subnet, such as 10.1.0.0/24',
  read: (value) => (typeof value === 'string' && isSubnet(value) ? value : undefined),
  schema: { type: 'string', pattern: '^[0-9a-fA-F.:]+/[0-9]{1,3}$' },
};

/**
 * `A=eth1` or `A=10.1.0.0/24` on a command line; the same as fields for a library and in the file,
 * which may say the LAN's own timing beside it.
 */
export function lan(): Kind {
  return {
    accepts:
      'NAME=INTERFACE or NAME=SUBNET, such as A=eth1 or A=10.1.0.0/24 (name: 1 to 32 letters, ' +
      'digits or . _ : / -)',
    read: readLan,
    show: (value) => {
      const choice = value as LanChoice;
      const own = timingKeys.flatMap((key) =>
        choice[key] === undefined ? [] : [`${kebab(key)} ${timing[key].show(choice[key])}`],
      );
      const place = `${choice.name}=${choice.interface ?? choice.subnet}`;
      return own.length === 0 ? place : `${place} (${own.join(', ')})`;
    },
    inFile: {
      fields: {
        name: scalarOf(lanName),
        interface: scalarOf(interfaceName),
        subnet,
        ...Object.fromEntries(timingKeys.map((key) => [kebab(key), scalarOf(timing[key])])),
      },
      required: 'name',
      either: ['interface', 'subnet'],
      unique: ['name', 'interface', 'subnet'],
    },
  };
}

function readLan(value: unknown): LanChoice | undefined {
  const parts = typeof value === 'string' ? splitLan(value) : lanFields(value);
  const { name, device, prefix } = parts;
  const own = readTiming(parts.timing ?? {});
  if (own === undefined) return undefined;
  if (lanName.read(name) === undefined) return undefined;
  if ((device === undefined) === (prefix === undefined)) return undefined;
  if (device === undefined && subnet.read(prefix) === undefined) return undefined;
  if (prefix === undefined && interfaceName.read(device) === undefined) return undefined;
  const place = device === undefined ? { name, subnet: prefix } : { name, interface: device };
  return { ...place, ...own } as LanChoice;
}

/** Undefined: something is not accepted, or is no part of a timing. */
function readTiming(given: Record<string, unknown>): LanTiming | undefined {
  const own: Partial<Record<TimingKey, unknown>> = {};
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const read = Object.hasOwn(timing, key) ? timing[key as TimingKey].read(value) : undefined;
    if (read === undefined) return undefined;
    own[key as TimingKey] = read;
  }
  return own as LanTiming;
}

interface LanParts {
  name?: unknown;
  device?: unknown;
  prefix?: unknown;
  /** By the options' names. */
  timing?: Record<string, unknown>;
}

function splitLan(flag: string): LanParts {
  const at = flag.indexOf('=');
  const [name, place] = at < 0 ? [flag, ''] : [flag.slice(0, at), flag.slice(at + 1)];
  return place.includes('/') ? { name, prefix: place } : { name, device: place };
}

function lanFields(value: unknown): LanParts {
  if (typeof value !== 'object' || value === null) return {};
  const { name, interface: device, subnet: prefix, ...timing } = value as Record<string, unknown>;
  return { name, device, prefix, timing };
}

/** `failAfter` in the file's words. */
function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function scalarOf({ inFile }: Kind): ScalarInFile {
  if (!('read' in inFile)) throw new Error('only a scalar can be a field');
  return inFile;
}

function isSubnet(prefix: string): boolean {
  const [, address = '', length = ''] = /^([^/]+)\/(\d{1,3})$/.exec(prefix) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(length) <= (family === 4 ? 32 : 128);
}

/** A plain decimal number, from text or as it is: no hex, no blanks, no `Infinity`. */
function readNumber(value: unknown): number | undefined {
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

function ifNumber(read: (value: unknown) => unknown): (value: unknown) => unknown {
  return (value) => (typeof value === 'number' ? read(value) : undefined);
}

// A slow, obvious reader of heartbeats, written from docs/wire.md: the oracle that the addon's
// codec is held to. It knows nothing of the C++ code and shares nothing with it.
import type { NativeHeartbeat } from '../../lib/engine/native.js';

/** The word with which a packet is refused. */
export class Refused extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

function insist(condition: boolean, code: string): void {
  if (!condition) throw new Refused(code);
}

/** Hands out the packet from front to back. */
class Reader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(count: number): Buffer {
    insist(this.at + count <= this.#bytes.length, 'too-short');
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }

  number(bytes: number): number {
    return this.take(bytes).readUIntBE(0, bytes);
  }

  id(): string {
    return this.take(8).toString('hex');
  }
}

function ipv4(bytes: Buffer): string {
  const first = bytes[0] ?? 0;
  const text = [...bytes].join('.');
  const multicast = first >= 224 && first < 240;
  insist(first !== 127 && !multicast, 'bad-address');
  insist(text !== '0.0.0.0' && text !== '255.255.255.255', 'bad-address');
  return text;
}

/**
 * Written out in full, without `::`, so that it needs no cleverness; compare after expandAddress.
 */
function ipv6(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  const loopbackOrNone = /^0{31}[01]$/.test(hex);
  insist(!loopbackOrNone && bytes[0] !== 0xff, 'bad-address');
  return hex.match(/.{4}/g)?.join(':') ?? '';
}

function readAddress(reader: Reader): string {
  const family = reader.number(1);
  const length = reader.number(1);
  insist(family === 4 || family === 6, 'bad-address');
  const bytes = reader.take(family === 4 ? 4 : 16);
  insist(length > 0 && length <= bytes.length * 8, 'bad-address');
  return `${family === 4 ? ipv4(bytes) : ipv6(bytes)}/${length}`;
}

function readLan(reader: Reader): { mac: string; addresses: string[] } {
  const bytes = reader.take(6);
  const count = reader.number(1);
  insist(((bytes[0] ?? 0) & 1) === 0, 'bad-address');
  insist(count <= 4, 'bad-count');
  const mac = bytes.toString('hex').match(/../g)?.join(':') ?? '';
  return { mac, addresses: Array.from({ length: count }, () => readAddress(reader)) };
}

/** `2001:db8::1/64` -> `2001:0db8:0000:...:0001/64`; IPv4 stays. */
export function expandAddress(text: string): string {
  if (!text.includes(':')) return text;
  const [address = '', length = ''] = text.split('/');
  const [head = '', tail] = address.split('::');
  const groups = (part: string | undefined) => (part ? part.split(':') : []);
  const before = groups(head);
  const after = groups(tail);
  const zeros = Array<string>(8 - before.length - after.length).fill('0');
  const all = [...before, ...(tail === undefined ? [] : zeros), ...after];
  return `${all.map((group) => group.padStart(4, '0')).join(':')}/${length}`;
}

export function readHeartbeat(bytes: Buffer): NativeHeartbeat {
  insist(bytes.length >= 72, 'too-short');
  const reader = new Reader(bytes);
  insist(reader.take(4).toString('latin1') === 'FLD1', 'bad-magic');
  insist(reader.number(1) === 1, 'bad-version');
  const typeNumber = reader.number(1);
  const flags = reader.number(2);
  const length = reader.number(2);
  insist(length >= 72 && length <= bytes.length, 'too-short');
  insist(length === bytes.length, 'trailing-bytes');
  const type = (['inq', 'ack', 'bye'] as const)[typeNumber - 1];
  if (type === undefined) throw new Refused('bad-type');
  const nameLength = reader.number(1);
  const lanCount = reader.number(1);
  const cluster = reader.number(4);
  const host = reader.id();
  const incarnation = reader.id();
  const zero = '0000000000000000';
  insist(host !== zero && incarnation !== zero, 'bad-identity');
  const sequence = reader.number(4);
  const intervalUs = reader.number(4);
  const advertVersion = reader.number(4);
  const arrivalLan = reader.number(1);
  const missingCount = reader.number(1);
  reader.take(2);
  const to = reader.id();
  const toIncarnation = reader.id();
  const echoSequence = reader.number(4);
  const echoHoldUs = reader.number(4);
  insist(intervalUs >= 50 && intervalUs <= 3600e6 && echoHoldUs <= 60e6, 'bad-interval');
  insist(nameLength <= 32, 'bad-count');
  const name = reader
    .take(nameLength)
    .toString('latin1')
    .replace(/[^ -~]/g, '?');
  insist(lanCount >= 1 && lanCount <= 8 && arrivalLan < lanCount, 'bad-lans');
  const lans = Array.from({ length: lanCount }, () => readLan(reader));
  insist(missingCount <= 64, 'bad-count');
  // too short, before any of it is looked at
  const list = new Reader(reader.take(8 * missingCount));
  const missing = Array.from({ length: missingCount }, () => list.id());
  insist(!missing.includes(zero), 'bad-identity');
  const flag = (bit: number) => (flags & (1 << bit)) !== 0;
  return {
    type,
    requestor: flag(0),
    solicit: flag(1),
    ackByBroadcast: flag(2),
    hearsYou: flag(3),
    missingIsPartial: flag(4),
    urgent: flag(5),
    drained: flag(6),
    cluster,
    host,
    incarnation,
    sequence,
    intervalUs,
    advertVersion,
    arrivalLan,
    to,
    toIncarnation,
    echoSequence,
    echoHoldUs,
    name,
    lans,
    missing,
  };
}

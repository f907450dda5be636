// The simulated cluster's numbering plan, and the little that a router must know of prefixes.
//
//   LAN n, host h    10.(n+1).0.(h+1)/16    fd00:0:0:(n+1)::(h+1)/64    fe80::(n+1):(h+1)/64
//
// LANs and hosts count from 0; a LAN's interface has index 10 + n until it is replaced.
import { BlockList, isIPv4 } from 'node:net';
import type { NativeLan } from '../../lib/engine/native.js';

export type Families = 'ipv4' | 'ipv6' | 'both';

export function lanName(lan: number): string {
  return 'ABCDEFGH'.charAt(lan);
}

export function hostId(host: number): string {
  return (0x1000 + host).toString(16).padStart(16, '0');
}

export function hostOf(id: string): number {
  return Number.parseInt(id, 16) - 0x1000;
}

/** A MAC address that was never used before for each replacement of the interface. */
function macOf(lan: number, host: number, replaced: number): string {
  const hex = (byte: number) => byte.toString(16).padStart(2, '0');
  return ['02', '00', hex(replaced), hex(lan), '00', hex(host)].join(':');
}

/** How host `host` stands on a LAN, after so many replacements of its interface. */
export function interfaceOf(
  lan: number,
  host: number,
  families: Families,
  replaced = 0,
): NativeLan {
  const four = [`10.${lan + 1}.0.${host + 1}/16`];
  const six = [`fd00:0:0:${lan + 1}::${host + 1}/64`, `fe80::${lan + 1}:${host + 1}/64`];
  return {
    name: lanName(lan),
    interface: `lan${lan}`,
    ifindex: 10 + lan + 10 * replaced,
    mac: macOf(lan, host, replaced),
    addresses: families === 'ipv4' ? four : families === 'ipv6' ? six : [...four, ...six],
    carrier: true,
  };
}

/** `10.1.0.1/16` -> `10.1.0.1` */
export function bare(prefix: string): string {
  return prefix.slice(0, prefix.indexOf('/'));
}

export function isLinkLocal(address: string): boolean {
  return address.startsWith('fe80:');
}

const networks = new Map<string, BlockList>();
const answers = new Map<string, boolean>();

/** Does the network contain the address? A prefix of length 0 contains its whole family. */
export function contains(prefix: string, address: string): boolean {
  const question = `${prefix} ${address}`;
  const known = answers.get(question);
  if (known !== undefined) return known;
  const sameFamily = isIPv4(bare(prefix)) === isIPv4(address);
  const inside = sameFamily && networkOf(prefix).check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
  answers.set(question, inside);
  return inside;
}

function networkOf(prefix: string): BlockList {
  const known = networks.get(prefix);
  if (known !== undefined) return known;
  const list = new BlockList();
  const network = bare(prefix);
  const length = Number(prefix.slice(network.length + 1));
  list.addSubnet(network, length, isIPv4(network) ? 'ipv4' : 'ipv6');
  networks.set(prefix, list);
  return list;
}

// Which interfaces are LANs: chosen by the operator (`--lan`), or found. Pure: faild.ts brings the
// kernel's list.
import { BlockList, isIPv6 } from 'node:net';

import { FaildError } from '../base/errors.js';
import { matchesGlob } from '../base/glob.js';
import type { NativeInterface, NativeLan } from '../engine/native.js';
import type { LanChoice } from './settings.js';

/** As in native/base/limits.h. */
const maxLans = 8;

/**
 * Made by container engines, hypervisors and VPNs: they come and go, and no second LAN stands
 * behind them.
 */
const skippedNames =
  /^(docker|veth|br-|virbr|cni|cali|flannel|podman|lxc|lxdbr|wg|tun|tap|tailscale|zt)/;

export interface ChosenLans {
  lans: NativeLan[];
  /** What works, but hardly as meant: to be said loudly. */
  warnings: string[];
}

/**
 * The LANs in order of preference, or an error that says what is missing. `ignored`: the operator's
 * patterns; an interface that he names himself is taken all the same.
 */
export function chooseLans(
  interfaces: NativeInterface[],
  wanted: LanChoice[],
  ignored: string[] = [],
): ChosenLans {
  const spared = interfaces.filter((device) => !matchesAny(device, ignored));
  const found =
    wanted.length > 0
      ? wanted.map((choice) => namedLan(interfaces, spared, choice))
      : suitable(spared).map((device, at) => lanOf(device, String.fromCharCode(65 + at)));
  if (found.length === 0) throw noLan(interfaces, ignored);
  if (found.length > maxLans) throw tooMany(found);
  rejectAddressless(found);
  rejectSharedInterfaces(found);
  rejectSharedSubnets(found);
  return { lans: found, warnings: warningsOf(found) };
}

/**
 * Without `--lan`: in the order of their ifindex, which is the order in which the system brought
 * them up.
 */
function suitable(interfaces: NativeInterface[]): NativeInterface[] {
  return interfaces
    .filter((device) => device.up && device.broadcast && !device.loopback)
    .filter((device) => !skippedNames.test(device.interface))
    .filter((device) => device.addresses.some((address) => !isLinkLocal(address)))
    .sort((a, b) => a.ifindex - b.ifindex);
}

function matchesAny({ interface: name }: NativeInterface, patterns: string[]): boolean {
  return patterns.some((pattern) => matchesGlob(name, pattern));
}

function namedLan(
  interfaces: NativeInterface[],
  spared: NativeInterface[],
  choice: LanChoice,
): NativeLan {
  if (choice.subnet !== undefined) return lanOf(onSubnet(spared, choice), choice.name);
  const { name, interface: wanted } = choice;
  const device = interfaces.find((candidate) => candidate.interface === wanted);
  const flag = `--lan ${name}=${wanted}`;
  if (device === undefined) {
    const there = interfaces.filter((candidate) => !candidate.loopback);
    const list = there.map((candidate) => candidate.interface).join(', ') || 'none';
    throw unusable(`${flag}: there is no interface '${wanted}'; there are: ${list}`);
  }
  if (device.loopback)
    throw unusable(`${flag}: loopback leads to no other host; name a LAN's interface`);
  if (!device.broadcast)
    throw unusable(`${flag}: ${wanted} cannot broadcast; name an Ethernet interface`);
  return lanOf(device, name);
}

/** The interface with an address in that subnet: the same file then serves every host. */
function onSubnet(
  interfaces: NativeInterface[],
  { name, subnet }: LanChoice & { subnet: string },
): NativeInterface {
  const flag = `--lan ${name}=${subnet}`;
  const able = interfaces.filter((device) => device.up && device.broadcast && !device.loopback);
  const there = able.filter(({ addresses }) => addresses.some((a) => contains(subnet, a)));
  const [device, ...others] = there;
  if (device === undefined) {
    const seen = able.map((each) => `${each.interface} ${each.addresses.join(' ')}`.trim());
    throw unusable(
      `${flag}: no interface that is up and can broadcast has an address in ${subnet}; ` +
        `there are: ${seen.join(', ') || 'none'}`,
    );
  }
  if (others.length === 0) return device;
  const list = there.map((each) => each.interface).join(', ');
  throw unusable(`${flag}: ${list} have addresses in ${subnet}; name one: --lan ${name}=INTERFACE`);
}

function lanOf(device: NativeInterface, name: string): NativeLan {
  const { interface: interfaceName, ifindex, mac, addresses, carrier } = device;
  return { name, interface: interfaceName, ifindex, mac, addresses, carrier };
}

function noLan(interfaces: NativeInterface[], ignored: string[]): FaildError {
  const why = (device: NativeInterface) =>
    matchesAny(device, ignored) ? 'to be ignored' : whyNot(device);
  const seen = interfaces.map((device) => `${device.interface} (${why(device)})`).join(', ');
  return new FaildError(
    'ENOLAN',
    'no LAN found: looked for interfaces that are up, can broadcast and have an address, ' +
      `and saw ${seen || 'no interface at all'}; bring one up or name it with --lan NAME=INTERFACE`,
  );
}

function whyNot(device: NativeInterface): string {
  if (device.loopback) return 'loopback';
  if (!device.up) return 'not up';
  if (!device.broadcast) return 'cannot broadcast';
  if (skippedNames.test(device.interface)) return 'a container or tunnel name';
  return 'no address of its own';
}

function tooMany(lans: NativeLan[]): FaildError {
  const list = lans.map((lan) => lan.interface).join(', ');
  return unusable(
    `${lans.length} LANs (${list}), but faild watches at most ${maxLans}; choose with --lan ` +
      `NAME=INTERFACE`,
  );
}

/** By two subnets, say: one interface is one LAN. */
function rejectSharedInterfaces(lans: NativeLan[]): void {
  for (const [at, lan] of lans.entries()) {
    const other = lans.slice(0, at).find((earlier) => earlier.interface === lan.interface);
    if (other === undefined) continue;
    throw unusable(
      `LAN ${other.name} and LAN ${lan.name} are both on ${lan.interface}: give each its own`,
    );
  }
}

/**
 * Traffic for one subnet on two interfaces has no LAN of its own, so that no failover could be
 * judged or routed.
 */
function rejectSharedSubnets(lans: NativeLan[]): void {
  for (const [at, one] of lans.entries()) {
    for (const other of lans.slice(at + 1)) {
      const shared = sharedSubnet(one, other);
      if (shared === undefined) continue;
      throw unusable(
        `LAN ${one.name} (${one.interface}) and LAN ${other.name} (${other.interface}) share ` +
          `the subnet of ` +
          `${shared}; give each LAN a subnet of its own, or choose with --lan NAME=INTERFACE`,
      );
    }
  }
}

/** The address by which one of them lies in a subnet of the other's. */
export function sharedSubnet(one: NativeLan, other: NativeLan): string | undefined {
  const theirs = other.addresses.filter((address) => !isLinkLocal(address));
  const ours = one.addresses.filter((address) => !isLinkLocal(address));
  return ours.find((address) => theirs.some((theirAddress) => overlap(address, theirAddress)));
}

function overlap(one: string, other: string): boolean {
  return contains(one, other) || contains(other, one);
}

function contains(prefix: string, address: string): boolean {
  const [net, length] = splitPrefix(prefix);
  const [ip] = splitPrefix(address);
  if (isIPv6(net) !== isIPv6(ip)) return false;
  const type = isIPv6(net) ? 'ipv6' : 'ipv4';
  const subnet = new BlockList();
  subnet.addSubnet(net, length, type);
  return subnet.check(ip, type);
}

function splitPrefix(prefix: string): [string, number] {
  const [address = '', length] = prefix.split('/');
  return [address, Number(length ?? (isIPv6(address) ? 128 : 32))];
}

function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address) || address.startsWith('169.254.');
}

/** An address may come later, when a dead LAN's DHCP server is back; to all but one of them. */
function rejectAddressless(lans: NativeLan[]): void {
  const [first] = lans;
  if (first === undefined || lans.some(({ addresses }) => addresses.length > 0)) return;
  const { name, interface: device } = first;
  const remedy = `ip address add ADDRESS/LENGTH dev ${device}`;
  throw unusable(`--lan ${name}=${device}: ${device} has no address; give it one: ${remedy}`);
}

function warningsOf(lans: NativeLan[]): string[] {
  const warnings = lans
    .filter((lan) => !lan.carrier)
    .map((lan) => `LAN ${lan.name} (${lan.interface}) has no carrier: is its cable plugged in?`);
  for (const { name, interface: device, addresses } of lans) {
    if (addresses.length > 0) continue;
    warnings.push(
      `LAN ${name} (${device}) has no address: it serves nobody until it gets one ` +
        `(DHCP, or ip address add ADDRESS/LENGTH dev ${device})`,
    );
  }
  const [only] = lans;
  if (lans.length === 1 && only !== undefined) {
    warnings.push(
      `only one LAN, ${only.name} (${only.interface}): nothing can fail over; ` +
        'bring up a second interface or name it with --lan NAME=INTERFACE',
    );
  }
  return warnings;
}

function unusable(line: string): FaildError {
  return new FaildError('ENOLAN', line);
}

// What the network managers of this host would do to faild's routes and to the LANs' addresses, by
// their own files: systemd-networkd's networkd.conf and .network files, NetworkManager's state.
// Read by doctor.ts, judged by findings.ts.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { NativeLan } from '../engine/native.js';
import { ignoresCarrier } from './network-manager.js';
import { sectionsOf } from './sections.js';

export interface Networkd {
  /** It leaves routes, and rules, alone that are not its own. */
  sparesRoutes: boolean;
  sparesRules: boolean;
  /** Interfaces of LANs whose addresses it takes away when their carrier drops. */
  dropsAddressesOf: string[];
  /** Interfaces of LANs whose addresses it makes anew when it starts, as 252 and 254 do. */
  remakesAddressesOf: string[];
}

export interface NetworkManager {
  /** Interfaces of LANs that it manages, and takes the addresses from when their carrier drops. */
  dropsAddressesOf: string[];
}

/** Null: it does not run here. */
export interface Managers {
  networkd: Networkd | null;
  networkManager: NetworkManager | null;
}

/** Later directories yield to earlier ones, for files of the same name. */
const configRoots = ['/etc', '/run', '/usr/local/lib', '/usr/lib'];

/**
 * `root`: where the file system begins; for tests. The folders below /run/systemd/netif are on
 * every host with systemd, `state` only where networkd has run.
 */
export function readManagers(lans: readonly NativeLan[], root = '/'): Managers {
  const at = (path: string) => join(root, path);
  const runsNetworkd = readText(at('/run/systemd/netif/state')) !== '';
  const runsNetworkManager = listFiles(at('/run/NetworkManager')) !== null;
  return {
    networkd: runsNetworkd ? readNetworkd(lans, at) : null,
    networkManager: runsNetworkManager ? readNetworkManager(lans, at) : null,
  };
}

type At = (path: string) => string;

function readNetworkd(lans: readonly NativeLan[], at: At): Networkd {
  const texts = configTexts('systemd/networkd.conf', at);
  const managed = lans.flatMap((lan) => {
    const link = readText(at(`/run/systemd/netif/links/${lan.ifindex}`));
    const file = /^NETWORK_FILE=(.+)$/m.exec(link)?.[1];
    return file === undefined ? [] : [{ name: lan.interface, texts: networkTexts(file, at) }];
  });
  const without = (keeps: (texts: string[]) => boolean) =>
    managed.filter(({ texts }) => !keeps(texts)).map(({ name }) => name);
  return {
    sparesRoutes: lastFlag(texts, 'ManageForeignRoutes') === false,
    sparesRules: lastFlag(texts, 'ManageForeignRoutingPolicyRules') === false,
    dropsAddressesOf: without(keepsWithoutCarrier),
    remakesAddressesOf: without(keepsAtItsStart),
  };
}

/** A .network file and its drop-ins. */
function networkTexts(file: string, at: At): string[] {
  const name = file.split('/').at(-1) ?? '';
  return [readText(at(file)), ...dropIns(`systemd/network/${name}.d`, at)];
}

/** IgnoreCarrierLoss= may be a time span: some seconds do not outlast a dead LAN. */
function keepsWithoutCarrier(texts: string[]): boolean {
  const ignored = lastValue(texts, 'IgnoreCarrierLoss', /^(\d|infinity$)/);
  if (ignored === undefined) return lastFlag(texts, 'ConfigureWithoutCarrier') === true;
  return yes.test(ignored) || ignored === 'infinity';
}

function keepsAtItsStart(texts: string[]): boolean {
  const kept =
    lastValue(texts, 'KeepConfiguration', /^(static|(dhcp|dynamic)(-on-stop)?)$/) ?? 'no';
  return yes.test(kept) || kept === 'static';
}

function readNetworkManager(lans: readonly NativeLan[], at: At): NetworkManager {
  const isManaged = ({ ifindex }: NativeLan) =>
    /^managed=true$/m.test(readText(at(`/run/NetworkManager/devices/${ifindex}`)));
  const texts = configTexts('NetworkManager/NetworkManager.conf', at, 'NetworkManager/conf.d');
  return {
    dropsAddressesOf: lans
      .filter((lan) => isManaged(lan) && !ignoresCarrier(texts, lan.interface))
      .map((lan) => lan.interface),
  };
}

/** The main file, the first one found, then the drop-ins in the order of their names. */
function configTexts(name: string, at: At, folder = `${name}.d`): string[] {
  const main = configRoots.map((place) => readText(at(`${place}/${name}`))).find(Boolean);
  return [main ?? '', ...dropIns(folder, at)];
}

function dropIns(folder: string, at: At): string[] {
  const chosen = new Map<string, string>();
  for (const place of configRoots) {
    for (const name of listFiles(at(`${place}/${folder}`)) ?? []) {
      if (name.endsWith('.conf') && !chosen.has(name))
        chosen.set(name, `${place}/${folder}/${name}`);
    }
  }
  return [...chosen].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => readText(at(path)));
}

const yes = /^(1|yes|y|true|t|on)$/;
const no = /^(0|no|n|false|f|off)$/;

function lastFlag(texts: readonly string[], key: string): boolean | undefined {
  const value = lastValue(texts, key);
  return value === undefined ? undefined : yes.test(value);
}

/**
 * What is said last in a section [Network] holds: a boolean, or what `alsoTaken` fits. Anything
 * else is passed over, as networkd does with a warning. Undefined: nobody says.
 */
function lastValue(texts: readonly string[], key: string, alsoTaken?: RegExp): string | undefined {
  return texts
    .flatMap(sectionsOf)
    .flatMap(({ name, values }) => (name === 'Network' ? [values.get(key) ?? ''] : []))
    .map((value) => value.toLowerCase())
    .findLast((value) => yes.test(value) || no.test(value) || alsoTaken?.test(value));
}

function listFiles(directory: string): string[] | null {
  try {
    return readdirSync(directory);
  } catch {
    return null;
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

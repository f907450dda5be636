// From options to a configuration that cannot be wrong: parsed once, here, for flags (cli.ts), for
// the configuration file (config-file.ts) and for library callers (faild.ts) alike. Pure, but for
// the system's host name as a default.
import { hostname } from 'node:os';

import { ConfigFaults, type Fault } from '../base/errors.js';
import { nearest } from '../base/near-miss.js';
import type { NativeTiming } from '../engine/native.js';
import type { Hook } from './hook-kind.js';
import {
  type DestinationChoice,
  type LanChoice,
  type Setting,
  type SourceChoice,
  type SwitchbackChoice,
  settings,
  type TransportChoice,
} from './settings.js';

export type {
  DestinationChoice,
  LanChoice,
  SourceChoice,
  SwitchbackChoice,
  TransportChoice,
} from './settings.js';

/**
 * What a caller may say; everything has a default. The same names, ranges and defaults as the
 * flags.
 */
export interface FaildOptions {
  /** Send inquiries (`-r`). A host without it only answers. */
  requestor?: boolean | undefined;
  /** Seconds between inquiries (`-t`), 0.00005 to 3600. */
  interval?: number | undefined;
  /** Missed packets before a path is invalidated (`-f`), 1 to 1000. */
  failAfter?: number | undefined;
  /** Good packets before a path is trusted again (`-s`), 1 to 100000. */
  restoreAfter?: number | undefined;
  /** UDP port (`-p`). */
  port?: number | undefined;
  /** The LANs to watch, the preferred first; without any, every suitable interface. */
  lan?: readonly (LanChoice | string)[] | undefined;
  /** Patterns (`eth9`, `usb*`) of interfaces that are no LAN, besides containers' and tunnels'. */
  ignoreInterface?: readonly string[] | undefined;
  /** Subnets, addresses and host ids of those that may be peers; without any, everybody. */
  allowPeer?: readonly string[] | undefined;
  transport?: TransportChoice | undefined;
  /** How inquiries reach everybody. */
  destination?: DestinationChoice | undefined;
  /** IPv4 group, for `multicast`. */
  multicastGroup?: string | undefined;
  /** Peers' addresses on every LAN, for `unicast`. */
  staticPeer?: readonly string[] | undefined;
  switchback?: SwitchbackChoice | undefined;
  /** Seconds (or `'30s'`) that a path which is good again waits before traffic returns. */
  holdTime?: number | string | undefined;
  /** Seconds (or `'60s'`); a path that fails again so soon must prove itself longer. */
  flapWindow?: number | string | null | undefined;
  /** Share of lost packets, 0.01 to 1 (or `'20%'`), at which traffic leaves a path. */
  grayLoss?: number | string | null | undefined;
  /** Round trip in seconds (or `'5ms'`) at which traffic leaves a path. */
  grayRoundTrip?: number | string | null | undefined;
  /** Seconds (or `'5ms'`): TCP's least retransmission time-out on the routes to peers. */
  rtoMin?: number | string | null | undefined;
  /** Source address of moved traffic: on the LAN that it left, or on the one that it takes. */
  source?: SourceChoice | undefined;
  cluster?: string | undefined;
  hostName?: string | undefined;
  /** The directory that keeps the host id. */
  stateDir?: string | undefined;
  /** SCHED_FIFO priority of the engine's thread, 0 for none. */
  realtimePriority?: number | undefined;
  /** CPU to pin the engine's thread to. */
  cpu?: number | undefined;
  maxPeers?: number | undefined;
  /** Path of a network namespace to work in. */
  networkNamespace?: string | undefined;
}

/** What only the daemon needs beside them. */
export interface DaemonOptions extends FaildOptions {
  logFile?: string | undefined;
  config?: string | undefined;
  socket?: string | undefined;
  metricsPerPeer?: boolean | undefined;
  metricsListen?: string | null | undefined;
  history?: number | string | null | undefined;
  hook?: readonly (string | object)[] | undefined;
}

/** A checked configuration: every value is in its range. */
export interface Config {
  requestor: boolean;
  /** The host's own timing; a LAN's own wins over it (`timingOf`). */
  intervalUs: number;
  failAfter: number;
  restoreAfter: number;
  port: number;
  lans: LanChoice[];
  ignoredInterfaces: string[];
  /** None: everybody. */
  allowedPeers: string[];
  transport: TransportChoice;
  destination: DestinationChoice;
  multicastGroup: string;
  staticPeers: string[];
  switchback: SwitchbackChoice;
  holdUs: number;
  /** Null: off. So are the next three. */
  flapWindowUs: number | null;
  grayLoss: number | null;
  grayRoundTripUs: number | null;
  rtoMinUs: number | null;
  source: SourceChoice;
  cluster: string;
  hostName: string;
  stateDir: string;
  realtimePriority: number;
  cpu: number | null;
  maxPeers: number;
  networkNamespace: string | null;
}

export interface DaemonConfig extends Config {
  logFile: string | null;
  socket: string;
  /** Series of single peers in `/metrics`. */
  metricsPerPeer: boolean;
  /** `/metrics` over TCP, as settings.ts accepts it; null: off. */
  metricsListen: string | null;
  /** Bytes on disk; null: off. */
  historyBytes: number | null;
  hooks: Hook[];
}

/** The value of every setting by its key, checked, defaults filled in; undefined: nobody said. */
export type SettingValues = Readonly<Record<string, unknown>>;

/** Checks options and makes a configuration of them. Throws all faults at once, exit status 2. */
export function parseConfig(options: DaemonOptions): DaemonConfig {
  return toConfig(readSettings(options));
}

/** Flags as commander hands them over, a library caller's options, or those of the file. */
export function readSettings(options: DaemonOptions): SettingValues {
  const { values, faults } = readEach(options);
  faults.push(...repeats((values.lan as LanChoice[] | undefined) ?? []));
  if (reachesNobody(values)) {
    const message =
      '--destination: unicast reaches nobody without static peers; give --static-peer';
    faults.push({ place: null, message });
  }
  if (faults.length > 0) throw new ConfigFaults(faults);
  return values;
}

/** Each by itself: what is wrong with their combination is not seen. */
export function readEach(options: DaemonOptions): { values: SettingValues; faults: Fault[] } {
  const given = options as Record<string, unknown>;
  const faults = unknownOptions(given);
  const entries = settings.map((setting) => {
    const value = given[setting.key];
    return [setting.key, value === undefined ? setting.fallback : read(setting, value, faults)];
  });
  return { values: Object.fromEntries(entries), faults };
}

export function toConfig(value: SettingValues): DaemonConfig {
  return {
    requestor: value.requestor as boolean,
    intervalUs: secondsToUs(value.interval as number),
    failAfter: value.failAfter as number,
    restoreAfter: value.restoreAfter as number,
    port: value.port as number,
    lans: (value.lan as LanChoice[] | undefined) ?? [],
    ignoredInterfaces: (value.ignoreInterface as string[] | undefined) ?? [],
    allowedPeers: (value.allowPeer as string[] | undefined) ?? [],
    transport: value.transport as TransportChoice,
    destination: value.destination as DestinationChoice,
    multicastGroup: value.multicastGroup as string,
    staticPeers: (value.staticPeer as string[] | undefined) ?? [],
    switchback: value.switchback as SwitchbackChoice,
    holdUs: secondsToUs(value.holdTime as number),
    flapWindowUs: usOrOff(value.flapWindow as number | null),
    grayLoss: value.grayLoss as number | null,
    grayRoundTripUs: usOrOff(value.grayRoundTrip as number | null),
    rtoMinUs: usOrOff(value.rtoMin as number | null),
    source: value.source as SourceChoice,
    cluster: value.cluster as string,
    hostName: (value.hostName as string | undefined) ?? systemHostName(),
    stateDir: value.stateDir as string,
    realtimePriority: value.realtimePriority as number,
    cpu: (value.cpu as number | undefined) ?? null,
    maxPeers: value.maxPeers as number,
    networkNamespace: (value.networkNamespace as string | undefined) ?? null,
    logFile: (value.logFile as string | undefined) ?? null,
    socket: value.socket as string,
    metricsPerPeer: value.metricsPerPeer as boolean,
    metricsListen: value.metricsListen as string | null,
    historyBytes: value.history as number | null,
    hooks: (value.hook as Hook[] | undefined) ?? [],
  };
}

/** `-t`: whole microseconds, the wire's unit, so that both ends count with the same interval. */
export function secondsToUs(seconds: number): number {
  return Math.round(seconds * 1e6);
}

/** A LAN's own interval, fail-after and restore-after, and the host's where it has none. */
export function timingOf(config: TimingConfig, lan: string): NativeTiming {
  const own = config.lans.find(({ name }) => name === lan);
  return {
    intervalUs: own?.interval === undefined ? config.intervalUs : secondsToUs(own.interval),
    failAfter: own?.failAfter ?? config.failAfter,
    restoreAfter: own?.restoreAfter ?? config.restoreAfter,
  };
}

/** What the timing of LANs is made of. */
export type TimingConfig = NativeTiming & Pick<Config, 'lans'>;

/** The value, whatever it is, as a fault's line shows it. */
export function quote(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function usOrOff(seconds: number | null): number | null {
  return seconds === null ? null : secondsToUs(seconds);
}

function read(setting: Setting, value: unknown, faults: Fault[]): unknown {
  if (!setting.repeatable) return readOne(setting, value, faults);
  if (Array.isArray(value)) {
    const { most = Number.POSITIVE_INFINITY, long } = setting;
    if (value.length > most) {
      faults.push({ place: null, message: `${long}: ${value.length} are given; at most ${most}` });
    }
    return value.map((item) => readOne(setting, item, faults));
  }
  faults.push(badValue(setting, value));
  return undefined;
}

function readOne(setting: Setting, value: unknown, faults: Fault[]): unknown {
  const found = setting.kind.read(value);
  if (found === undefined) faults.push(badValue(setting, value));
  return found;
}

/** One line for a value that is not accepted: the flag, the value, what is. */
function badValue({ short, long, kind }: Setting, value: unknown): Fault {
  const flag = short === undefined ? long : `${short} (${long})`;
  const message = `${flag}: ${quote(value)} is not accepted; give ${kind.accepts}`;
  return { place: null, message };
}

/**
 * A misspelt option of a library caller would be a silent default; commander refuses misspelt
 * flags by itself.
 */
function unknownOptions(given: Record<string, unknown>): Fault[] {
  const known = settings.map((setting) => setting.key);
  const unknown = Object.keys(given).filter((key) => !known.includes(key));
  return unknown.map((key) => {
    const meant = nearest(key, known);
    const help = meant === undefined ? '' : `did you mean '${meant}'? `;
    return {
      place: null,
      message: `unknown option '${key}'; ${help}the options are ${known.join(', ')}`,
    };
  });
}

function repeats(lans: readonly (LanChoice | undefined)[]): Fault[] {
  return (['name', 'interface', 'subnet'] as const).flatMap((field) => {
    const values = lans.flatMap((lan) => lan?.[field] ?? []);
    const twice = values.filter((value, at) => values.indexOf(value) !== at);
    return twice.map((value) => ({
      place: null,
      message: `--lan: '${value}' is given twice; each LAN has its own name and place`,
    }));
  });
}

/** Pure; flags and file may each have said a part. */
export function reachesNobody({ destination, staticPeer = [] }: SettingValues): boolean {
  return destination === 'unicast' && (staticPeer as unknown[]).length === 0;
}

/** The wire carries 32 bytes: the first label of a name that is longer. */
function systemHostName(): string {
  const name = hostname();
  return (name.length > 32 ? (name.split('.')[0] ?? name) : name).slice(0, 32) || 'localhost';
}

// From options to a configuration that cannot be wrong: parsed once, here, for flags (cli.ts) and
// for library callers (faild.ts) alike. Pure, but for the system's host name as a default.
import { hostname } from 'node:os';

import { FaildError } from './errors.js';
import { type LanChoice, type Setting, settings, type TransportChoice } from './settings.js';

export type { LanChoice, TransportChoice } from './settings.js';

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
  transport?: TransportChoice | undefined;
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
  socket?: string | undefined;
}

/** A checked configuration: every value is in its range. */
export interface Config {
  requestor: boolean;
  intervalUs: number;
  failAfter: number;
  restoreAfter: number;
  port: number;
  lans: LanChoice[];
  transport: TransportChoice;
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
}

/**
 * Checks flags as commander hands them over, or a library caller's options. Throws EINVAL, exit
 * status 2.
 */
export function parseConfig(options: DaemonOptions): DaemonConfig {
  const given = options as Record<string, unknown>;
  rejectUnknown(given);
  const value = Object.fromEntries(
    settings.map((setting) => [setting.key, readSetting(setting, given[setting.key])]),
  );
  const lans = (value.lan ?? []) as LanChoice[];
  rejectRepeats(lans);
  return {
    requestor: value.requestor as boolean,
    intervalUs: secondsToUs(value.interval as number),
    failAfter: value.failAfter as number,
    restoreAfter: value.restoreAfter as number,
    port: value.port as number,
    lans,
    transport: value.transport as TransportChoice,
    cluster: value.cluster as string,
    hostName: (value.hostName as string | undefined) ?? systemHostName(),
    stateDir: value.stateDir as string,
    realtimePriority: value.realtimePriority as number,
    cpu: (value.cpu as number | undefined) ?? null,
    maxPeers: value.maxPeers as number,
    networkNamespace: (value.networkNamespace as string | undefined) ?? null,
    logFile: (value.logFile as string | undefined) ?? null,
    socket: value.socket as string,
  };
}

/** `-t`: whole microseconds, the wire's unit, so that both ends count with the same interval. */
export function secondsToUs(seconds: number): number {
  return Math.round(seconds * 1e6);
}

/** One line for a value that is not accepted: the flag, the value, what is. */
export function badValue(setting: Setting, value: unknown): FaildError {
  const flag = setting.short === undefined ? setting.long : `${setting.short} (${setting.long})`;
  const shown = typeof value === 'string' ? `'${value}'` : (JSON.stringify(value) ?? String(value));
  const line = `${flag}: ${shown} is not accepted; give ${setting.accepts}`;
  return new FaildError('EINVAL', line, { exitStatus: 2 });
}

function readSetting(setting: Setting, value: unknown): unknown {
  if (value === undefined) return setting.fallback;
  if (!setting.repeatable) return readOne(setting, value);
  if (!Array.isArray(value)) throw badValue(setting, value);
  return value.map((item) => readOne(setting, item));
}

function readOne(setting: Setting, value: unknown): unknown {
  const read = setting.read(value);
  if (read === undefined) throw badValue(setting, value);
  return read;
}

/**
 * A misspelt option of a library caller would be a silent default; commander refuses misspelt
 * flags by itself.
 */
function rejectUnknown(given: Record<string, unknown>): void {
  const known = settings.map((setting) => setting.key);
  const unknown = Object.keys(given).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  const line = `unknown option '${unknown}'; the options are ${known.join(', ')}`;
  throw new FaildError('EINVAL', line, { exitStatus: 2 });
}

function rejectRepeats(lans: LanChoice[]): void {
  for (const field of ['name', 'interface'] as const) {
    const values = lans.map((lan) => lan[field]);
    const twice = values.find((value, at) => values.indexOf(value) !== at);
    if (twice === undefined) continue;
    const line = `--lan: '${twice}' is given twice; each LAN has its own name and interface`;
    throw new FaildError('EINVAL', line, { exitStatus: 2 });
  }
}

/** The wire carries 32 bytes: the first label of a name that is longer. */
function systemHostName(): string {
  const name = hostname();
  return (name.length > 32 ? (name.split('.')[0] ?? name) : name).slice(0, 32) || 'localhost';
}

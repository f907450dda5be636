// `faild check`: is the configuration right, what would be in force, and is it wise on this
// machine? Reads and measures; changes nothing. Called by cli.ts.

import { messageOf } from '../base/errors.js';
import { adviseOn, type Surroundings } from '../cluster/advice.js';
import type { StatusPeer } from '../cluster/status.js';
import { type Config, type DaemonOptions, readSettings, toConfig } from '../config/config.js';
import { type ConfigFile, loadOptions } from '../config/config-file.js';
import { chooseLans } from '../config/interfaces.js';
import { fileKey, settings, shown, usualConfigFile } from '../config/settings.js';
import { fetchStatus, isAnswered } from '../control/client.js';
import { measureTimerLatenessUs, readRpFilters, realtimeLimit } from '../engine/machine.js';
import { type NativeLan, native } from '../engine/native.js';

export interface CheckResult {
  text: string;
  /** The configuration is right, and faild would start with it here. */
  ready: boolean;
}

/** Throws every fault at once. */
export async function check(flags: DaemonOptions): Promise<CheckResult> {
  const { options, file } = loadOptions(flags);
  const values = readSettings(options);
  const config = toConfig(values);
  const { lans, warnings } = lansHere(config);
  const around = await lookAround(config, lans ?? []);
  warnings.push(...adviseOn(config, around).map(({ line }) => line));
  const text = [
    file === null ? `no ${usualConfigFile}: flags and defaults` : `${file.path}: right`,
    ...table(values, flags, file),
    ...(lans ?? []).map(({ name, interface: device, addresses }) =>
      `  LAN ${name}: ${device} ${addresses.join(' ')}`.trimEnd(),
    ),
    ...warnings.map((line) => `warning: ${line}`),
    '',
  ].join('\n');
  return { text, ready: lans !== null };
}

/** Null: it would not start on this machine, and the first warning says why. */
function lansHere(config: Config): { lans: NativeLan[] | null; warnings: string[] } {
  try {
    const interfaces = native.listInterfaces(config.networkNamespace ?? '');
    return chooseLans(interfaces, config.lans, config.ignoredInterfaces);
  } catch (error) {
    return { lans: null, warnings: [`faild would not start here: ${messageOf(error)}`] };
  }
}

/** What can be known here: of another network namespace, not its filters. */
async function lookAround(
  config: Config & { socket: string },
  lans: readonly NativeLan[],
): Promise<Surroundings> {
  const filters = readRpFilters(lans.map((lan) => lan.interface));
  return {
    timerLatenessUs: measureTimerLatenessUs(),
    realtimeLimit: realtimeLimit(),
    peers: await knownPeers(config.socket),
    ...(config.networkNamespace === null && { rpFilters: filters }),
    ...(config.transport !== 'auto' && { transport: config.transport }),
  };
}

/** Of the daemon that runs now, if one does. */
async function knownPeers(socket: string): Promise<StatusPeer[]> {
  try {
    return (await isAnswered(socket)) ? (await fetchStatus(socket)).peers : [];
  } catch {
    return [];
  }
}

/** Each setting with its value and who said it. */
function table(values: object, flags: DaemonOptions, file: ConfigFile | null): string[] {
  const rows = settings.flatMap((setting) => {
    const name = fileKey(setting);
    if (name === null) return [];
    const line = file?.lines.get(setting.key);
    const given = (flags as Record<string, unknown>)[setting.key] !== undefined;
    const source = given ? setting.long : line === undefined ? 'default' : `line ${line}`;
    const value = (values as Record<string, unknown>)[setting.key];
    return [[name, shown(setting, value), source] as const];
  });
  const widths = [0, 1].map((at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map(
    ([name, value, source]) =>
      `  ${name.padEnd(widths[0] ?? 0)}  ${value.padEnd(widths[1] ?? 0)}  ${source}`,
  );
}

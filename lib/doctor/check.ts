// `faild check`: is the configuration right, what would be in force, and is it wise on this
// machine? Reads and measures; changes nothing. Called by cli.ts.

import { ConfigFaults, type Fault, messageOf, showFault } from '../base/errors.js';
import { align } from '../base/text-table.js';
import { adviseOn, type Surroundings } from '../cluster/advice.js';
import type { StatusPeer } from '../cluster/status.js';
import { type Config, type DaemonOptions, readSettings, toConfig } from '../config/config.js';
import { type ConfigFile, loadOptions } from '../config/config-file.js';
import { chooseLans } from '../config/interfaces.js';
import { fileKey, settings, shown, usualConfigFile } from '../config/settings.js';
import { fetchStatus, isAnswered } from '../control/client.js';
import { measureTimerLatenessUs, readRpFilters, realtimeLimit } from '../engine/machine.js';
import { type NativeLan, native } from '../engine/native.js';

/** What `--json` prints. `schema` changes its number only when a field goes or changes meaning. */
export interface CheckReport {
  schema: 'faild.check/1';
  /** The file that was read; null: there is none, so flags and defaults hold. */
  file: string | null;
  /** The configuration is right, and faild would start with it here. */
  ready: boolean;
  settings: CheckedSetting[];
  /** Those that would be in use; none where faild would not start. */
  lans: { name: string; interface: string; addresses: string[] }[];
  warnings: string[];
  /** Then nothing else was looked at. */
  faults: Fault[];
}

export interface CheckedSetting {
  /** As the file calls it. */
  key: string;
  value: string;
  /** A flag, `line 3` of the file, or `default`. */
  source: string;
}

/** The configuration's own faults are part of the report; throws only what is not its doing. */
export async function check(flags: DaemonOptions): Promise<CheckReport> {
  try {
    return await look(flags);
  } catch (error) {
    if (!(error instanceof ConfigFaults)) throw error;
    const nothing = { file: null, ready: false, settings: [], lans: [], warnings: [] };
    return { schema: 'faild.check/1', ...nothing, faults: [...error.faults] };
  }
}

async function look(flags: DaemonOptions): Promise<CheckReport> {
  const { options, file } = loadOptions(flags);
  const values = readSettings(options);
  const config = toConfig(values);
  const { lans, warnings } = lansHere(config);
  const around = await lookAround(config, lans ?? []);
  return {
    schema: 'faild.check/1',
    file: file?.path ?? null,
    ready: lans !== null,
    settings: table(values, flags, file),
    lans: (lans ?? []).map(({ name, interface: device, addresses }) => ({
      name,
      interface: device,
      addresses: [...addresses],
    })),
    warnings: [...warnings, ...adviseOn(config, around).map(({ line }) => line)],
    faults: [],
  };
}

export function renderCheck({ file, settings, lans, warnings, faults }: CheckReport): string {
  if (faults.length > 0) return `${faults.map(showFault).join('\n')}\n`;
  return [
    file === null ? `no ${usualConfigFile}: flags and defaults` : `${file}: right`,
    ...align(settings.map(({ key, value, source }) => [`  ${key}`, value, source])),
    ...lans.map(({ name, interface: device, addresses }) =>
      `  LAN ${name}: ${device} ${addresses.join(' ')}`.trimEnd(),
    ),
    ...warnings.map((line) => `warning: ${line}`),
    '',
  ].join('\n');
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
function table(values: object, flags: DaemonOptions, file: ConfigFile | null): CheckedSetting[] {
  return settings.flatMap((setting) => {
    const key = fileKey(setting);
    if (key === null) return [];
    const line = file?.places.get(setting.key)?.line;
    const given = (flags as Record<string, unknown>)[setting.key] !== undefined;
    const source = given ? setting.long : line === undefined ? 'default' : `line ${line}`;
    const value = shown(setting, (values as Record<string, unknown>)[setting.key]);
    return [{ key, value, source }];
  });
}

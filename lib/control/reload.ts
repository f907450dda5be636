// `faild reload` and SIGHUP: read the configuration again, say what differs, apply what can be
// applied in place and name what needs a restart. A file with faults changes nothing. Owned by
// daemon.ts.
//
// In place means: by another plan for the engine, of which the LANs' timing is a part. Everything
// else was built into its sockets and tables at the start.
import { adviseOn, type Surroundings } from '../cluster/advice.js';
import type { Head } from '../cluster/views.js';
import {
  type DaemonConfig,
  type DaemonOptions,
  readSettings,
  type SettingValues,
  toConfig,
} from '../config/config.js';
import { loadOptions } from '../config/config-file.js';
import { fileKey, type LanChoice, type Setting, settings, shown } from '../config/settings.js';

export interface Change {
  /** As the file calls it. */
  key: string;
  from: string;
  to: string;
  outcome: 'applied' | 'needs a restart';
}

/** What a reload has come to. */
export interface Reloaded {
  /** The file that was read; null: there is none, so flags and defaults hold. */
  file: string | null;
  changes: Change[];
  warnings: string[];
}

/** The answer to `POST /v1/reload`. */
export interface ReloadAnswer extends Head<'faild.reload/1'>, Reloaded {}

/** What can be changed in place; faild.ts has it. */
export interface Reloadable {
  reconfigure(config: DaemonConfig): Promise<void>;
  surroundings(): Promise<Surroundings>;
}

export class Reloader {
  /** The flags that it was started with: they win at every reload as well. */
  readonly #flags: DaemonOptions;
  readonly #target: Reloadable;
  #inForce: SettingValues;
  #last: Promise<unknown> = Promise.resolve();

  constructor(flags: DaemonOptions, inForce: SettingValues, target: Reloadable) {
    this.#flags = flags;
    this.#inForce = inForce;
    this.#target = target;
  }

  /** One at a time. Rejects with all faults of the file, or with why the plan was refused. */
  reload(): Promise<Reloaded> {
    const next = this.#last.then(() => this.#reload());
    this.#last = next.catch(() => undefined);
    return next;
  }

  async #reload(): Promise<Reloaded> {
    const { options, file } = loadOptions(this.#flags);
    const wanted = readSettings(options);
    const changes = differences(this.#inForce, wanted);
    const next = merged(this.#inForce, wanted, changes);
    const warnings = adviseOn(toConfig(wanted), await this.#target.surroundings());
    if (changes.some(({ outcome }) => outcome === 'applied')) {
      await this.#target.reconfigure(toConfig(next));
      this.#inForce = next;
    }
    return {
      file: file?.path ?? null,
      changes,
      warnings: warnings.map(({ line }) => line),
    };
  }
}

/** What a reload would change, in the order of the table. Pure. */
export function differences(before: SettingValues, after: SettingValues): Change[] {
  return settings.flatMap((setting): Change[] => {
    const key = fileKey(setting);
    const [from, to] = [before, after].map((values) => shown(setting, values[setting.key]));
    if (key === null || from === undefined || to === undefined || from === to) return [];
    const live = isLive(setting, before, after);
    return [{ key, from, to, outcome: live ? 'applied' : 'needs a restart' }];
  });
}

/**
 * The same LANs in another order are another preference, which is part of the plan, as is their
 * timing.
 */
function isLive({ key, live = false }: Setting, before: SettingValues, after: SettingValues) {
  if (key !== 'lan') return live;
  const [one, other] = [before, after].map(({ lan = [] }) =>
    (lan as LanChoice[]).map((it) => `${it.name}=${it.interface ?? it.subnet}`).sort(),
  );
  return String(one) === String(other);
}

/** What holds after the reload: what needs a restart stays as it was. */
function merged(before: SettingValues, after: SettingValues, changes: Change[]): SettingValues {
  const applied = changes.filter(({ outcome }) => outcome === 'applied').map(({ key }) => key);
  const entries = settings.map((setting) => {
    const { key } = setting;
    return [key, (applied.includes(fileKey(setting) ?? '') ? after : before)[key]];
  });
  return Object.fromEntries(entries);
}

/** One line for the log and for the terminal. */
export function showChange({ key, from, to, outcome }: Change): string {
  return `${key}: ${from} -> ${to} (${outcome})`;
}

/** For the terminal. */
export function renderReload({ changes, warnings }: Reloaded): string {
  const lines = changes.length === 0 ? ['nothing has changed'] : changes.map(showChange);
  return `${[...lines, ...warnings.map((line) => `warning: ${line}`)].join('\n')}\n`;
}

// The flags of commander, made from the table of settings; and what every command is added with.
import { type Command, Option } from 'commander';
import type { DaemonConfig, DaemonOptions } from '../config/config.js';
import { type Setting, settings } from '../config/settings.js';

/** A command with the flags that every one has. */
export type Add = (name: string, description: string) => Command;
/** Flags and file, as far as they lead to the daemon; the file's faults are for `check`. */
export type Glance = (options: DaemonOptions) => Promise<DaemonConfig>;

export function settingOf(key: string): Setting {
  const setting = settings.find((candidate) => candidate.key === key);
  if (setting === undefined) throw new Error(`no setting '${key}'`);
  return setting;
}

/** No defaults and no checks here: config.ts has them, for the library as well. */
export function optionOf(setting: Setting): Option {
  const { key, short, long, argument, help, kind, fallback, fallbackText } = setting;
  const flags =
    [short, long].filter(Boolean).join(', ') + (argument === undefined ? '' : ` ${argument}`);
  const say = kind.showFlag ?? kind.show;
  const shown = fallbackText ?? (argument === undefined ? undefined : say(fallback));
  const option = new Option(flags, shown === undefined ? help : `${help} (default: ${shown})`);
  if (setting.repeatable) option.argParser((value: string, all: string[] = []) => [...all, value]);
  if (option.attributeName() !== key) throw new Error(`${long} must be called ${key}`);
  return option;
}

export function addTo(program: Command): Add {
  return (name, description) =>
    program
      .command(name)
      .description(description)
      .helpOption('-h, --help', 'show this')
      .addOption(optionOf(settingOf('socket')))
      .addOption(optionOf(settingOf('config')));
}

export function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

// The command line as a plain tree: what the completions and the man pages are made from. Read off
// commander's own objects, so that a flag or a command is written down once, where it is accepted.
import type { EventEmitter } from 'node:events';
import type { Command, Option } from 'commander';

export interface FlagNode {
  short: string | undefined;
  long: string;
  /** The placeholder of its value; undefined: a switch. */
  value: string | undefined;
  help: string;
}

export interface ArgumentNode {
  name: string;
  required: boolean;
  help: string;
}

export interface CommandNode {
  /** Empty: the program itself. */
  name: string;
  help: string;
  flags: FlagNode[];
  args: ArgumentNode[];
  /** What stands below its help: exit statuses, examples. */
  notes: string;
  commands: CommandNode[];
}

export function treeOf(command: Command, isRoot = true): CommandNode {
  const help = command.createHelp();
  const visible = help.visibleCommands(command).filter((each) => each.name() !== 'help');
  return {
    name: isRoot ? '' : command.name(),
    help: command.description(),
    flags: help.visibleOptions(command).map(flagOf),
    args: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      required: argument.required,
      help: argument.description,
    })),
    notes: notesOf(command),
    commands: visible.map((each) => treeOf(each, false)),
  };
}

function flagOf({ short, long, flags, description }: Option): FlagNode {
  const [, value] = /[<[]([^>\]]+)[>\]]/.exec(flags) ?? [];
  return { short, long: long ?? '', value, help: description };
}

/** `addHelpText('after', ...)` listens for commander's own event. */
function notesOf(command: Command): string {
  let text = '';
  (command as unknown as EventEmitter).emit('afterHelp', {
    error: false,
    command,
    write: (piece: string) => {
      text += piece;
    },
  });
  return text.trim();
}

/** `--a`, and `-a` where there is one. */
export function flagNames({ short, long }: FlagNode): string[] {
  return [short, long].filter((name) => name !== undefined);
}

/** What a value is, as far as a shell can help with it. */
export type Guess = readonly string[] | 'file' | 'nothing';

/** A path, by its placeholder; a word, where the table of settings has a list of them. */
export function guessValue(flag: FlagNode, words: ReadonlyMap<string, readonly string[]>): Guess {
  const known = words.get(flag.long);
  if (known !== undefined) return known;
  return /^(path|file)$/.test(flag.value ?? '') ? 'file' : 'nothing';
}

// One hook as the configuration says it: a program, the kinds of events that it is run on, and how
// long it may take. Used by settings.ts; hooks.ts runs them.
import { type EventKind, eventKinds } from './event-kinds.js';
import { duration, type Kind, type ListInFile, type ScalarInFile } from './kinds.js';

export interface Hook {
  /** The program by its absolute path, and its arguments; no shell reads them. */
  run: string[];
  on: EventKind[];
  timeoutS: number;
}

/** One process each at a time, so this many at once. */
export const maxHooks = 16;

const usualTimeoutS = 10;
const timeout = duration(0.1, 300, usualTimeoutS);

const word: ScalarInFile = {
  accepts: 'a text',
  read: (value) => (typeof value === 'string' && !value.includes('\0') ? value : undefined),
  schema: { type: 'string' },
};
const kindName: ScalarInFile = {
  accepts: eventKinds.join(', '),
  read: (value) => eventKinds.find((kind) => kind === value),
  schema: { enum: eventKinds },
};
const run: ListInFile = {
  accepts: 'the absolute path of a program and its arguments, such as [/usr/local/bin/page, web]',
  each: word,
  fits: ([program]) => String(program).startsWith('/'),
};
const on: ListInFile = { accepts: 'kinds of events, such as [failover, isolated]', each: kindName };

/** `failover,isolated=/usr/local/bin/page` on a command line; fields for a library and in the file. */
export function hook(): Kind {
  return {
    accepts:
      'KIND[,KIND...]=PROGRAM, such as failover,isolated=/usr/local/bin/page (an absolute path; ' +
      `the kinds: ${eventKinds.join(', ')})`,
    read: (value) => readHook(typeof value === 'string' ? splitHook(value) : value),
    show: (value) => {
      const { run: program, on: kinds, timeoutS } = value as Hook;
      const which = kinds.length === eventKinds.length ? 'every event' : kinds.join(',');
      return `${which}=${program.join(' ')} (${timeout.show(timeoutS)})`;
    },
    inFile: {
      fields: { run, on, timeout: timeout.inFile as ScalarInFile },
      required: 'run',
      either: [],
      unique: [],
    },
  };
}

function splitHook(flag: string): unknown {
  const at = flag.indexOf('=');
  return at < 0 ? {} : { on: flag.slice(0, at).split(','), run: [flag.slice(at + 1)] };
}

function readHook(value: unknown): Hook | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const given = value as Record<string, unknown>;
  const program = wordsOf(given.run, word);
  const kinds = given.on === undefined ? [...eventKinds] : wordsOf(given.on, kindName);
  const timeoutS = timeout.read(given.timeout ?? usualTimeoutS) as number | undefined;
  if (!program?.length || !run.fits?.(program) || !kinds?.length || timeoutS === undefined)
    return undefined;
  return { run: program, on: kinds as EventKind[], timeoutS };
}

function wordsOf(value: unknown, each: ScalarInFile): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const words = value.map((item) => each.read(item) as string | undefined);
  return words.every((item) => item !== undefined) ? words : undefined;
}

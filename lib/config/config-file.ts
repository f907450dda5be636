// The configuration file: YAML text to the same options that flags and library callers give, and
// every fault at once, each with its line and column. Called by cli.ts for the daemon and its
// commands, and by reload.ts.
//
// The file speaks in the table's words (settings.ts): each long flag is a key, without its dashes.
// It is stricter than a command line: durations carry units, and a value's type counts, so that an
// editor with the JSON Schema and faild agree. Aliases and tags are refused: a configuration is to
// be read by people, from top to bottom.
import { readFileSync, statSync } from 'node:fs';
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { ConfigFaults, codeOf, FaildError, type Fault, messageOf } from '../base/errors.js';
import { nearest } from '../base/near-miss.js';
import { type DaemonOptions, quote, reachesNobody, readEach } from './config.js';
import type { ListInFile, MapInFile, ScalarInFile } from './kinds.js';
import { fileKey, type Setting, settings, usualConfigFile } from './settings.js';

/** A configuration has some hundred lines; what is larger is something else. */
const maxBytes = 1 << 20;

export interface ConfigFile {
  path: string;
  /** What could be read; with faults, not all that was meant. */
  options: DaemonOptions;
  faults: Fault[];
  /** Where the file gives an option, by the option's name. */
  places: ReadonlyMap<string, Place>;
}

/** Both from 1. */
export interface Place {
  line: number;
  col: number;
}

/** Flags over file over defaults: what `faild` and `faild check` start from. */
export interface LoadedOptions {
  options: DaemonOptions;
  file: ConfigFile | null;
}

/**
 * Throws every fault of the file at once, and those of the flags with them; a usual file that is
 * not there is none.
 */
export function loadOptions(flags: DaemonOptions): LoadedOptions {
  const file = openConfigFile(flags.config);
  const options = { ...file?.options, ...flags };
  const faults = file === null ? [] : [...file.faults, ...contradictions(file, flags)];
  if (faults.length > 0) throw new ConfigFaults([...faults, ...readEach(flags).faults]);
  return { options, file };
}

/** What is right by itself, and wrong with what else the file and the flags say. */
function contradictions({ path, options, places }: ConfigFile, flags: DaemonOptions): Fault[] {
  const place = flags.destination === undefined ? places.get('destination') : undefined;
  if (place === undefined || !reachesNobody({ ...options, ...flags })) return [];
  const message = 'destination: unicast reaches nobody without static-peers; name some';
  return [{ place: showPlace(path, place), message }];
}

/**
 * For commands that only look for the daemon: they must work while its file is being edited, so of
 * a file with faults counts what they need, and a usual one that cannot be read is no matter.
 */
export function glanceOptions(flags: DaemonOptions): DaemonOptions {
  try {
    const { socket, networkNamespace } = openConfigFile(flags.config)?.options ?? {};
    return { socket, networkNamespace, ...flags };
  } catch (error) {
    if (flags.config !== undefined) throw error;
    return flags;
  }
}

/** Null when no path was given and there is no file at the usual one. */
function openConfigFile(path: string | undefined): ConfigFile | null {
  try {
    return parseConfigFile(readLimited(path ?? usualConfigFile), path ?? usualConfigFile);
  } catch (error) {
    if (error instanceof FaildError) throw error;
    if (path === undefined && codeOf(error) === 'ENOENT') return null;
    const line = `--config: cannot read ${path ?? usualConfigFile}: ${messageOf(error)}`;
    throw new FaildError(codeOf(error) ?? 'ECONFIG', line, { exitStatus: 2, cause: error });
  }
}

function readLimited(path: string): string {
  const { size } = statSync(path);
  if (size <= maxBytes) return readFileSync(path, 'utf8');
  const line = `--config: ${path} has ${size} bytes; a configuration has at most ${maxBytes}`;
  throw new FaildError('EFBIG', line, { exitStatus: 2 });
}

/** Pure. `path` is only shown. */
export function parseConfigFile(text: string, path: string): ConfigFile {
  return new FileReader(text, path).read();
}

class FileReader {
  readonly #path: string;
  readonly #text: string;
  readonly #lines = new LineCounter();
  readonly #found: { at: number; message: string }[] = [];

  constructor(text: string, path: string) {
    this.#text = text;
    this.#path = path;
  }

  read(): ConfigFile {
    const document = parseDocument(this.#text, { lineCounter: this.#lines, prettyErrors: false });
    for (const error of document.errors) this.#notYaml(error);
    const options: Record<string, unknown> = {};
    const places = new Map<string, Place>();
    // After a syntax error the tree is a guess: its values would only be faults that are none.
    const guessed = document.errors.some(({ code }) => !wholeTree.includes(code));
    const root = guessed ? null : document.contents;
    for (const [setting, node, at] of this.#settingsOf(root)) {
      options[setting.key] = this.#valueOf(setting, node, at);
      places.set(setting.key, this.#placeOf(at));
    }
    return { path: this.#path, options, faults: this.#faults(), places };
  }

  #settingsOf(root: Node | null): [Setting, Node | null, number][] {
    if (root === null || (isScalar(root) && root.value === null)) return [];
    if (!isMap(root)) {
      this.#fault(root, 'a list of `key: value` lines is expected, such as `interval: 100ms`');
      return [];
    }
    return this.#entries(root).flatMap(([key, node, at]): [Setting, Node | null, number][] => {
      const setting = settings.find((candidate) => fileKey(candidate) === key);
      if (setting === undefined) this.#unknownKey(key, at, knownKeys);
      return setting === undefined ? [] : [[setting, node, at]];
    });
  }

  #valueOf(setting: Setting, node: Node | null, at: number): unknown {
    const key = fileKey(setting) ?? '';
    const { inFile } = setting.kind;
    if (!setting.repeatable) return this.#scalar(key, inFile as ScalarInFile, node, at);
    if (!isSeq(node)) {
      const item =
        'fields' in inFile ? `each with its \`- ${inFile.required}:\`` : 'each after a dash';
      this.#badValue(key, node, at, `a list, ${item}`);
      return undefined;
    }
    const items = node.items.map((item, index) => {
      const name = `${key}[${index + 1}]`;
      const there = startOf(item as Node) ?? at;
      return 'fields' in inFile
        ? this.#map(name, inFile, item as Node, there)
        : this.#scalar(name, inFile, item as Node, there);
    });
    if ('fields' in inFile) this.#repeats(key, inFile, node.items as Node[]);
    this.#tooMany(setting, node.items as Node[]);
    return items;
  }

  #map(key: string, kind: MapInFile, node: Node, at: number): unknown {
    if (!isMap(node)) {
      const one = kind.either.length > 0 ? ` and one of ${kind.either.join(', ')}` : '';
      this.#badValue(key, node, at, `${kind.required}:${one}`);
      return undefined;
    }
    const known = Object.keys(kind.fields);
    const found: Record<string, unknown> = {};
    for (const [field, value, where] of this.#entries(node)) {
      const expected = Object.hasOwn(kind.fields, field) ? kind.fields[field] : undefined;
      const name = `${key}.${field}`;
      if (expected === undefined) this.#unknownKey(field, where, known);
      else if ('each' in expected)
        found[optionOf(field)] = this.#list(name, expected, value, where);
      else found[optionOf(field)] = this.#scalar(name, expected, value, where);
    }
    const places = kind.either.filter((field) => Object.hasOwn(found, field));
    if (!Object.hasOwn(found, kind.required)) this.#say(at, `${key}: ${kind.required}: is missing`);
    if (kind.either.length > 0 && places.length !== 1) {
      const count = places.length === 0 ? 'none is given' : 'more are given';
      this.#say(at, `${key}: give one of ${kind.either.join(', ')}; ${count}`);
    }
    return found;
  }

  #list(key: string, kind: ListInFile, node: Node | null, at: number): unknown {
    if (!isSeq(node) || node.items.length === 0) {
      this.#badValue(key, node, at, kind.accepts);
      return undefined;
    }
    const values = (node.items as Node[]).map((item, index) =>
      this.#scalar(`${key}[${index + 1}]`, kind.each, item, startOf(item) ?? at),
    );
    const whole = values.includes(undefined) || (kind.fits?.(values) ?? true);
    if (!whole) this.#badValue(key, node, at, kind.accepts);
    return values;
  }

  #scalar(key: string, kind: ScalarInFile, node: Node | null, at: number): unknown {
    if (node !== null && !isScalar(node)) {
      this.#badValue(key, node, at, kind.accepts);
      return undefined;
    }
    const value = kind.read(node?.value ?? null);
    if (node?.tag !== undefined) this.#say(at, `${key}: a tag (${node.tag}) is not accepted`);
    else if (value === undefined) this.#badValue(key, node, at, this.#help(kind, node?.value));
    return value;
  }

  /** `cluster: 17` is a number to YAML. */
  #help(kind: ScalarInFile, value: unknown): string {
    const bare = typeof value === 'number' || typeof value === 'boolean';
    const quoted = bare && kind.read(String(value)) !== undefined;
    return quoted ? `${kind.accepts}, in quotes: "${value}"` : kind.accepts;
  }

  #repeats(key: string, kind: MapInFile, items: Node[]): void {
    for (const field of kind.unique) {
      const seen = new Set<unknown>();
      for (const item of items) {
        const node = isMap(item) ? item.get(field, true) : undefined;
        if (!isScalar(node) || node.value === null) continue;
        if (seen.has(node.value)) {
          this.#fault(node, `${key}: ${field} ${quote(node.value)} is given twice`);
        }
        seen.add(node.value);
      }
    }
  }

  #tooMany(setting: Setting, items: Node[]): void {
    const { most = Number.POSITIVE_INFINITY } = setting;
    const extra = items[most];
    if (extra === undefined) return;
    this.#fault(extra, `${fileKey(setting)}: ${items.length} are given; at most ${most}`);
  }

  /** The keys of a mapping as text, with their values and places. */
  #entries(map: YAMLMap): [string, Node | null, number][] {
    return (map.items as Pair<Node, Node | null>[]).flatMap(({ key, value }) => {
      if (isScalar(key)) return [[String(key.value), value, startOf(key) ?? 0]];
      this.#fault(key, 'a key is one plain word');
      return [];
    });
  }

  #badValue(key: string, node: Node | null, at: number, accepts: string): void {
    const where = (node === null ? undefined : startOf(node)) ?? at;
    const message = isAlias(node)
      ? `${key}: an alias (*${node.source}) is not accepted; say it again`
      : `${key}: ${this.#shown(node)} is not accepted; give ${accepts}`;
    this.#say(where, message);
  }

  #shown(node: Node | null): string {
    if (isMap(node)) return 'a mapping';
    if (isSeq(node)) return 'a list';
    return isScalar(node) && node.value !== null ? quote(node.value) : 'nothing';
  }

  #unknownKey(key: string, at: number, known: readonly string[]): void {
    const meant = nearest(key, known);
    const help =
      meant === undefined ? `the keys are ${known.join(', ')}` : `did you mean '${meant}'?`;
    this.#say(at, `unknown key '${key}'; ${help}`);
  }

  #notYaml({ code, message, pos: [at] }: YAMLError): void {
    const known: Partial<Record<YAMLError['code'], string>> = {
      MULTIPLE_DOCS: 'a second document; faild reads one',
      DUPLICATE_KEY: 'this key is given twice',
    };
    this.#say(at, known[code] ?? `not YAML: ${message.split('\n', 1)[0]}`);
  }

  #fault(node: Node, message: string): void {
    this.#say(startOf(node) ?? 0, message);
  }

  #say(at: number, message: string): void {
    this.#found.push({ at, message });
  }

  /** In the order of the text, as a reader meets them. */
  #faults(): Fault[] {
    return this.#found
      .sort((a, b) => a.at - b.at)
      .map(({ at, message }) => ({ place: showPlace(this.#path, this.#placeOf(at)), message }));
  }

  #placeOf(at: number): Place {
    const { line, col } = this.#lines.linePos(at);
    return { line: Math.max(line, 1), col: Math.max(col, 1) };
  }
}

/** As compilers say it. */
function showPlace(path: string, { line, col }: Place): string {
  return `${path}:${line}:${col}`;
}

/** Errors that leave the tree as it was written. */
const wholeTree: readonly YAMLError['code'][] = ['DUPLICATE_KEY', 'MULTIPLE_DOCS'];

const knownKeys = settings.flatMap((setting) => fileKey(setting) ?? []);

/** `fail-after` as an option is called. */
function optionOf(field: string): string {
  return field.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function startOf(node: Node): number | undefined {
  return node.range?.[0];
}

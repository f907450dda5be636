// What the tidy tests share: the tracked files, and their text without comments and literals.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** Tracked files that match, with paths from the root of the checkout. */
export function tracked(pattern: RegExp): string[] {
  const list = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8' });
  return list.split('\0').filter((path) => pattern.test(path) && existsSync(path));
}

export function read(path: string): string {
  return readFileSync(path, 'utf8');
}

export function lines(path: string): string[] {
  return read(path).replace(/\n$/, '').split('\n');
}

// Alternatives in the order in which a reader meets them: what begins first hides the others.
const cppNoise =
  /R"(\w*)\([\s\S]*?\)\1"|\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'/g;

/** C++ without comments and literals; the line breaks stay, so that line numbers hold. */
export function cppCode(text: string): string {
  return text.replace(cppNoise, (noise) => noise.replace(/[^\n]/g, ' '));
}

/** Headers that a C++ file includes, as written: `<chrono>` or `"base/time.h"`. */
export function includes(path: string): string[] {
  return [...read(path).matchAll(/^#include ([<"][^>"]+[>"])/gm)].map((match) => match[1] ?? '');
}

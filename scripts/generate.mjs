// Writes what is made from the table of settings (lib/config/settings.ts), the tree of commands and
// the types of answers: docs/faild.schema.json, the README's table of flags, packaging/man and
// docs/schemas. Needs dist/.
//
//   node scripts/generate.mjs           writes them
//   node scripts/generate.mjs --check   changes nothing; names what is out of date, exit status 1
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configSchema } from '../dist/config/schema.js';
import { fallbackShown, fileKey, settings } from '../dist/config/settings.js';
import { must, root, say } from './run.mjs';
import { answerSchemas } from './schemas.mjs';

const kBegin = '<!-- made by scripts/generate.mjs from lib/config/settings.ts -->';
const kEnd = '<!-- end -->';

/** One row a setting: its flag, its key in the file, what it means and takes, its default. */
function settingsTable() {
  const rows = settings.map((setting) => {
    const { short, long, help, kind } = setting;
    const flag = [short, long].filter(Boolean).map((name) => `\`${name}\``);
    const key = fileKey(setting);
    const inFile = key === null ? '' : `\`${key}\``;
    const accepts = kind.inFile.accepts ?? kind.accepts;
    return [flag.join(' '), inFile, help, accepts, fallbackShown(setting)].map(escapeCell);
  });
  const head = [
    ['flag', 'in the file', 'meaning', 'takes', 'default'],
    ['---', '---', '---', '---', '---'],
  ];
  return [...head, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function escapeCell(text) {
  return text.replaceAll('|', '\\|').replaceAll('*', '\\*');
}

function readmeWith(table) {
  const text = readFileSync(join(root, 'README.md'), 'utf8');
  const [before, rest = ''] = text.split(kBegin);
  const [, after] = rest.split(kEnd);
  if (after === undefined) throw new Error(`README.md: no place between ${kBegin} and ${kEnd}`);
  return `${before}${kBegin}\n\n${table}\n\n${kEnd}${after}`;
}

/** By the program itself, which has the tree. */
function manPage(name) {
  return must(name, process.execPath, [join(root, 'dist/cli.js'), 'completion', name]);
}

const made = {
  'docs/faild.schema.json': `${JSON.stringify(configSchema(), null, 2)}\n`,
  'README.md': readmeWith(settingsTable()),
  ...answerSchemas(),
  'packaging/man/faild.8': manPage('faild.8'),
  'packaging/man/faild.yaml.5': manPage('faild.yaml.5'),
};

function read(path) {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return '';
  }
}

const stale = Object.keys(made).filter((path) => read(path) !== made[path]);
const checking = process.argv.includes('--check');
for (const path of stale) {
  if (!checking) writeFileSync(join(root, path), made[path]);
  say(`${path} ${checking ? 'is out of date: run node scripts/generate.mjs' : 'written'}`);
}
process.exitCode = checking && stale.length > 0 ? 1 : 0;

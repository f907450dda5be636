// Makes a checkout ready to run, doing only what is out of date: Debian packages, npm packages, the
// addon, TypeScript. Plain Node without dependencies, since it is what installs them.
//
//   node scripts/setup.mjs [GROUP...]     groups of Debian packages as in scripts/debian.mjs; 'build' always
//
// scripts/demo.mjs and scripts/test.mjs call setup() first, so that each works in a fresh clone on
// its own.
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureDebianPackages } from './debian.mjs';
import { attempt, must, root, say } from './run.mjs';

const kAddon = 'build/Release/faild.node';
const kNpmStamp = 'node_modules/.package-lock.json'; // npm writes it last

/** When a file was last written, in ms since the epoch; 0 when there is none. */
function modifiedAt(path) {
  const full = join(root, path);
  return existsSync(full) ? statSync(full).mtimeMs : 0;
}

/** The newest file under a folder, of those whose name ends as asked. */
function newestUnder(folder, ending) {
  if (!existsSync(join(root, folder))) return 0;
  const names = readdirSync(join(root, folder), { recursive: true });
  return Math.max(
    0,
    ...names.filter((name) => ending.test(name)).map((name) => modifiedAt(join(folder, name))),
  );
}

/**
 * Marks a product as made from what was there at `time`: a file saved during the work counts as
 * newer.
 */
function stamp(path, time) {
  const full = join(root, path);
  closeSync(openSync(full, 'a'));
  utimesSync(full, time, time);
}

function installNpmPackages() {
  if (modifiedAt(kNpmStamp) >= Math.max(1, modifiedAt('package-lock.json'))) return;
  say('installing npm packages');
  const started = new Date();
  const ci = attempt('npm', ['ci', '--ignore-scripts']);
  if (!ci.ok) {
    say('npm ci refused (package-lock.json does not fit package.json?); trying npm install');
    must('npm install', 'npm', ['install', '--ignore-scripts']);
  }
  stamp(kNpmStamp, started);
}

/**
 * Node's own headers, so that node-gyp need not fetch them; nothing when this Node came without.
 */
function headersOfThisNode() {
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const present = existsSync(join(prefix, 'include/node/node_api.h'));
  return present ? { npm_config_nodedir: prefix } : {};
}

function buildAddon() {
  const recipe = Math.max(modifiedAt('binding.gyp'), modifiedAt('native/sources.txt'));
  if (modifiedAt(kAddon) >= Math.max(recipe, newestUnder('native', /\.(cc|h)$/))) return;
  say('building the addon');
  const started = new Date();
  const gyp = join(root, 'node_modules/node-gyp/bin/node-gyp.js');
  const steps = modifiedAt('build/Makefile') >= recipe ? [] : [['configure']];
  for (const step of [...steps, ['build', '--jobs', 'max']]) {
    must('building the addon', process.execPath, [gyp, ...step], headersOfThisNode());
  }
  stamp(kAddon, started);
}

/** Compiles one TypeScript project when one of its folders is newer than its last complete run. */
function compile(project, outDir, folders) {
  const done = join(outDir, '.compiled');
  const inputs = folders.map((folder) => newestUnder(folder, /\.ts$/));
  if (modifiedAt(done) >= Math.max(modifiedAt('tsconfig.json'), modifiedAt(project), ...inputs))
    return;
  say(`compiling ${folders.join(', ')} to ${outDir}`);
  const started = new Date();
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  rmSync(join(root, outDir), { recursive: true, force: true }); // what was renamed leaves nothing
  must(`compiling ${outDir}`, process.execPath, [tsc, '-p', project]);
  stamp(done, started);
}

/** Everything for these groups of Debian packages; `withTests` compiles test/ and bench/ too. */
export function setup(groups, { withTests = false } = {}) {
  ensureDebianPackages([...new Set(['build', ...groups])]);
  installNpmPackages();
  buildAddon();
  compile('tsconfig.json', 'dist', ['lib']);
  if (withTests) compile('tsconfig.test.json', 'dist-test', ['lib', 'test', 'bench']);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  setup(process.argv.slice(2), { withTests: process.argv.includes('test') });
  say('ready');
}

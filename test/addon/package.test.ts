// Aim: what `npm pack` makes is all that a program needs: it imports faild, its types and its addon,
// with nothing but the dependencies that the package names.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import t from 'tap';

/** npm alone takes a busy machine a minute. */
t.setTimeout(600_000);

const root = process.cwd();

function run(cwd: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error ?? stderr}${stdout}`);
  return stdout.trim();
}

/** A project that has installed the package, and of the rest what it names as dependencies. */
function install(project: string): string {
  run(root, process.execPath, 'scripts/prepack.mjs');
  const [packed] = JSON.parse(
    run(root, 'npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', project),
  );
  const home = join(project, 'node_modules/faild');
  mkdirSync(home, { recursive: true });
  run(project, 'tar', '-xzf', packed.filename, '-C', home, '--strip-components=1');
  for (const path of dependencies()) {
    const place = join(project, relative(root, path));
    mkdirSync(dirname(place), { recursive: true });
    if (!existsSync(place)) symlinkSync(path, place);
  }
  return home;
}

/** Outer ones first, as npm lists them. */
function dependencies(): string[] {
  const listed = run(root, 'npm', 'ls', '--omit=dev', '--all', '--parseable').split('\n');
  return listed.filter((path) => path !== root);
}

t.test('packed and installed, it works without a compiler', async (t) => {
  // Not below this checkout, or Node would find its development packages on the way up.
  const project = mkdtempSync(join(tmpdir(), 'faild-package-'));
  t.teardown(() => rmSync(project, { recursive: true }));
  const home = install(project);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

  run(home, process.execPath, 'scripts/install.mjs');
  t.notOk(existsSync(join(home, 'build')), 'the addon that came with it serves');
  t.equal(run(home, process.execPath, 'dist/cli.js', '--version'), version);
  writeFileSync(
    join(project, 'program.mts'),
    `import { Faild, type FaildEvent } from 'faild';
     const refused = await Faild.start({ interval: -1 }).catch((error: Error) => error);
     const said: string = refused instanceof Error ? refused.message : 'started';
     export const kinds: FaildEvent['kind'][] = [];
     console.log(said);`,
  );
  const options = { module: 'nodenext', target: 'es2022', strict: true, skipLibCheck: true };
  const types = { types: ['node'], typeRoots: [join(root, 'node_modules/@types')] };
  const files = ['program.mts'];
  const tsconfig = JSON.stringify({ compilerOptions: { ...options, ...types }, files });
  writeFileSync(join(project, 'tsconfig.json'), tsconfig);
  run(project, process.execPath, join(root, 'node_modules/typescript/bin/tsc'));
  t.match(run(project, process.execPath, 'program.mjs'), /--interval\): -1 is not accepted/);
});

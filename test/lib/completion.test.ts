// Aim: every shell completes every command and flag that there is, with names from the daemon where
// names are wanted; the man pages name them all, and are clean by their readers' own checks.
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { fileKey, settings } from '../../lib/config/settings.js';
import type { ControlTarget } from '../../lib/control/routes.js';
import { openControl } from '../../lib/control/server.js';
import { unlessInstalled } from '../judges.js';
import { breaches } from '../schemas.js';
import { sketch } from './statuses.js';

const cli = fileURLToPath(new URL('../../lib/cli.js', import.meta.url));
const run = (...args: string[]) =>
  spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8' });
const shells = ['bash', 'zsh', 'fish'] as const;
const scripts = Object.fromEntries(shells.map((name) => [name, run('completion', name).stdout]));
const manual = readFileSync('packaging/man/faild.8', 'utf8');

/** Commands and long flags as the help says them. */
function said(help: string) {
  const [, rest = ''] = help.split('\nCommands:\n');
  const [list = ''] = rest.split('\n\n');
  const commands = [...list.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = '']) => name);
  const flags = [...help.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, name = '']) => name);
  return { commands: commands.filter((name) => name !== 'help'), flags };
}

t.test('nothing of the command line is left out, anywhere', async (t) => {
  const { commands } = said(run('--help').stdout);
  t.ok(commands.includes('explain') && commands.includes('completion'));
  for (const command of ['', ...commands]) {
    const { flags } = said(run(...(command === '' ? [] : [command]), '--help').stdout);
    t.ok(flags.length >= 2, command);
    for (const flag of flags) {
      t.ok(scripts.bash?.includes(` ${flag}`), `bash: ${command} ${flag}`);
      t.ok(scripts.zsh?.includes(`${flag}[`), `zsh: ${command} ${flag}`);
      t.ok(scripts.fish?.includes(` -l ${flag.slice(2)}`), `fish: ${command} ${flag}`);
      if (flag === '--help' && command !== '') continue; // it is told once
      t.ok(manual.includes(flag.replaceAll('-', '\\-')), `manual: ${command} ${flag}`);
    }
    if (command !== '') t.match(manual, new RegExp(`^\\.SS ${command}\\b`, 'm'));
  }
});

/** What bash would offer for these words, the last of them just being typed. */
function offered(words: string[], env: NodeJS.ProcessEnv = {}): Promise<string[]> {
  const program = `faild() { "${process.execPath}" "${cli}" "$@" --socket "$FAILD_SOCKET"; }
    ${scripts.bash}
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }; COMPREPLY=()
    _faild; printf '%s\\n' "\${COMPREPLY[@]}"`;
  // Not spawnSync: the daemon that is asked is this process.
  return promisify(execFile)('bash', ['-c', program, 'bash', ...words], {
    env: { ...process.env, ...env },
  }).then(({ stdout }) => stdout.split('\n').filter(Boolean));
}

t.test('bash offers what fits', async (t) => {
  t.same(await offered(['faild', 'un']), ['undrain']);
  t.same(await offered(['faild', '--trans']), ['--transport']);
  t.same(await offered(['faild', '-r', '--switchback', '']), ['auto', 'sticky', 'manual']);
  t.same(await offered(['faild', '-t', '1', '-f', '3', 'stat']), ['status']);
  t.same(await offered(['faild', 'events', '-f', '--si']), ['--since'], '-f is a switch there');
  t.same(await offered(['faild', 'events', '--since', '']), []);
  t.same(await offered(['faild', 'completion', '']), [...shells]);
  t.same(await offered(['faild', 'status', '-t']), [], 'no flag of the daemon');
  const dir = t.testdir({ 'faild.yaml': '' });
  t.same(await offered(['faild', '--config', `${dir}/fa`]), [`${dir}/faild.yaml`]);
});

t.test('names come from the daemon; without one there are none', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'faild-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const socket = join(dir, 's');
  const env = { FAILD_SOCKET: socket };
  t.same(await offered(['faild', 'explain', ''], env), []);
  const control = await openControl(socket);
  t.teardown(() => control.close());
  const status = sketch({ web1: { A: 'up', B: 'up' }, web2: { A: 'up', B: 'up' } });
  control.attach({ status: async () => status } as unknown as ControlTarget);
  t.same(await offered(['faild', 'explain', 'w'], env), ['web1', 'web2']);
  t.same(await offered(['faild', 'drain', ''], env), ['A', 'B']);
  t.same(await offered(['faild', 'failover', 'A', ''], env), ['web1', 'web2']);
  t.same(await offered(['faild', 'drain', 'A', ''], env), [], 'one is enough');
  t.same(await offered(['faild', 'drain', '--h'], env), ['--host', '--help']);
});

t.test('as JSON it is the same text', async (t) => {
  const answer = JSON.parse(run('completion', 'zsh', '--json').stdout);
  t.same(breaches(answer), []);
  t.equal(answer.text, scripts.zsh);
});

t.test('another shell is refused, and what there is is named', async (t) => {
  const { status, stdout, stderr } = run('completion', 'tcsh');
  t.equal(status, 2);
  t.equal(stdout, '');
  t.equal(stderr, "faild: completion: 'tcsh' is not accepted; give bash, zsh, fish\n");
});

t.test('faild.yaml(5) has every key', async (t) => {
  const page = readFileSync('packaging/man/faild.yaml.5', 'utf8').replaceAll('\\-', '-');
  for (const key of settings.map(fileKey)) {
    if (key !== null) t.ok(page.includes(`\n.TP\n.B ${key}\n`), key);
  }
});

/** Who judges what, where it is installed: a command line that must be silent. */
const judges: [program: string, args: string[], files: string[]][] = [
  ['bash', ['-n'], ['completion.bash']],
  ['zsh', ['-n'], ['completion.zsh']],
  ['fish', ['--no-execute'], ['completion.fish']],
  ['groff', ['-man', '-ww', '-z', '-Tutf8'], ['packaging/man/faild.8']],
  ['groff', ['-man', '-ww', '-z', '-Tutf8'], ['packaging/man/faild.yaml.5']],
  ['mandoc', ['-Tlint', '-Wstyle'], ['packaging/man/faild.8', 'packaging/man/faild.yaml.5']],
];

for (const [program, args, files] of judges) {
  const skip = unlessInstalled(program);
  t.test(`${program} has nothing to say of ${files.join(', ')}`, { skip }, async (t) => {
    const dir = t.testdir();
    const paths = files.map((name) => {
      const [, shell = ''] = /^completion\.(\w+)$/.exec(name) ?? [];
      if (shell === '') return name;
      writeFileSync(join(dir, name), scripts[shell] ?? '');
      return join(dir, name);
    });
    const judged = spawnSync(program, [...args, ...paths], { encoding: 'utf8' });
    t.equal(judged.error, undefined);
    const { stdout, stderr } = judged;
    // The pages are the same whenever they are made, so they have no date.
    const words = `${stdout}${stderr}`.split('\n').filter((line) => !/missing date/.test(line));
    t.same(words.filter(Boolean), []);
  });
}

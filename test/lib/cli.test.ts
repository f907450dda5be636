// Aim: what an operator types wrong gets one line on stderr and exit status 2; no daemon is exit
// status 3; help and version need no addon.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { CheckReport } from '../../lib/doctor/check.js';
import { breaches } from '../schemas.js';

/**
 * This test runs compiled (dist-test/) and from source; the command line beside it does as well.
 */
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const cli = fileURLToPath(new URL(`../../lib/cli.${extension}`, import.meta.url));
/** The test runner's loaders cost each start ten times what it takes without. */
const loaders = extension === 'ts' ? process.execArgv : [];

function faild(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [...loaders, cli, ...args], { encoding: 'utf8' });
}

const refused: [args: string[], line: RegExp][] = [
  [['-t', 'abc'], /^faild: -t \(--interval\): 'abc' is not accepted; give seconds from 0\.00005/],
  [['-t'], /^faild: option '-t, --interval <seconds>' argument missing; give seconds/],
  [['-p', '0'], /^faild: -p \(--port\): '0' is not accepted; give a whole number from 1 to 65535$/],
  [['--inteval', '3'], /^faild: unknown option '--inteval'; did you mean --interval\?$/],
  [['-x'], /^faild: unknown option '-x'; see faild --help$/],
  [
    ['stats'],
    /^faild: unknown command 'stats'; there are status, peers, paths, events, .*check, .*doctor, .*;/,
  ],
  [['drain'], /^faild: drain: say what: 'faild drain LAN', or 'faild drain --host' for the whole/],
  [['undrain', 'A', '--host'], /^faild: undrain: say what: 'faild undrain LAN', or /],
  [['bench'], /^faild: say which peer, or which LAN to cut: 'faild bench host2'$/],
  [['bench', 'host2', '--count', '3'], /^faild: --count and --yes go with --cut LAN$/],
  [['bench', '--cut', 'A', '--seconds', '3'], /^faild: --seconds does not go with --cut; --count/],
  [
    ['bench', '--cut', 'A'],
    /^faild: --cut moves traffic: where there is no terminal .* say --yes$/,
  ],
  [
    ['bench', '--cut', 'A', '--yes', '--count', '1.5'],
    /^faild: --count: '1\.5' is not accepted; give a whole number from 1 to 1000$/,
  ],
  [['status', '-t', '1'], /^faild: unknown option '-t'; see faild --help$/],
];

for (const [args, line] of refused) {
  t.test(`faild ${args.join(' ')}`, async (t) => {
    const { status, stdout, stderr } = faild(...args);
    t.equal(status, 2);
    t.equal(stdout, '');
    t.match(stderr.trimEnd(), line);
    t.equal(stderr.trimEnd().split('\n').length, 1, 'one line');
  });
}

t.test('status without a daemon', async (t) => {
  const { status, stderr } = faild('status', '--socket', `${t.testdirName.slice(0, 40)}/none`);
  t.equal(status, 3);
  t.match(stderr, /^faild: no daemon answers on .*: start one with 'sudo faild -r'/);
});

t.test('check: every fault as compilers say it, or what would be in force', async (t) => {
  const dir = t.testdir({
    'bad.yaml': 'interval: 0.01\nfail_after: 3\n',
    'good.yaml': 'interval: 10ms\nlans: [{name: A, interface: no-such-one}]\n',
  });
  const bad = `${dir}/bad.yaml`;
  const faults = [
    `${bad}:1:11: interval: 0.01 is not accepted; give a duration from 50us to 1h, such as 10ms`,
    `${bad}:2:1: unknown key 'fail_after'; did you mean 'fail-after'?`,
    '',
  ].join('\n');
  t.match(faild('check', '--config', bad), { status: 2, stdout: '', stderr: faults });
  t.match(faild('--config', bad), { status: 2, stderr: faults }, 'the daemon refuses it as well');

  const good = faild('-f', '5', 'check', '--config', `${dir}/good.yaml`);
  t.equal(good.status, 1, 'right, but there is no such interface on this machine');
  t.match(good.stdout, /good\.yaml: right$/m);
  t.match(good.stdout, /^ {2}interval +10ms +line 1$/m);
  t.match(good.stdout, /^ {2}fail-after +5 +--fail-after$/m);
  t.match(good.stdout, /^ {2}port +9311 +default$/m);
  t.match(good.stdout, /^warning: faild would not start here: --lan A=no-such-one: there is no /m);

  const told = (...flags: string[]) => {
    const { status, stdout } = faild(...flags, '--json');
    const report = JSON.parse(stdout) as CheckReport;
    t.same(breaches(report), []);
    return { ...report, status };
  };
  t.match(told('-f', '5', 'check', '--config', `${dir}/good.yaml`), {
    status: 1,
    ready: false,
    settings: [{ key: 'role', value: 'responder', source: 'default' }, { source: 'line 1' }],
    warnings: [/^faild would not start here/],
    faults: [],
  });
  const second = { place: `${bad}:2:1`, message: /^unknown key/ };
  t.match(told('check', '--config', bad), { status: 2, ready: false, faults: [{}, second] });

  const none = faild('check', '--config', `${dir}/none.yaml`);
  t.match(none, { status: 2, stderr: /^faild: --config: cannot read .*none\.yaml: / });
});

t.test('reload without a daemon', async (t) => {
  const { status, stderr } = faild('reload', '--socket', `${t.testdirName.slice(0, 40)}/none`);
  t.equal(status, 3);
  t.match(stderr, /^faild: no daemon answers on /);
});

t.test('a file with faults does not keep a command from its daemon', async (t) => {
  const socket = `${t.testdirName.slice(0, 40)}/none`;
  const dir = t.testdir({ 'bad.yaml': `socket: ${socket}\nlans: [{}, {}]\n` });
  const { status, stderr } = faild('status', '--config', `${dir}/bad.yaml`);
  t.equal(status, 3);
  t.ok(stderr.includes(`no daemon answers on ${socket}`), stderr);
});

t.test('--version and --help', async (t) => {
  t.match(faild('--version'), { status: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
  const help = faild('--help');
  t.match(help, {
    status: 0,
    stdout: /^Usage: faild \[-r\] \[-t n\] \[-f n\] \[-s n\] \[-p n\] \[-l path\]/,
  });
  t.match(help.stdout, /sudo faild -r -t 0\.001 -f 3/);
});

t.test(
  'every command answers as JSON, and its help tells exit statuses and an example',
  async (t) => {
    const [, list = ''] = faild('--help').stdout.split('\nCommands:\n');
    const [table = ''] = list.split('\n\n');
    const names = [...table.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = '']) => name);
    t.ok(names.length >= 18, String(names));
    for (const name of names) {
      const { stdout } = faild(name, '--help');
      t.match(stdout, / --json /, name);
      t.match(stdout, /^Exit status: 0 /m, name);
      t.match(stdout, /^Examples:\n {2}/m, name);
    }
  },
);

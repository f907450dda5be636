// Aim: a report holds what a bug report needs and no secret, is whole or not there, and is for its
// owner alone; what could not be had is named.
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { redactConfig, redactLog, redactText } from '../../lib/cli/report-redact.js';
import type { ReportContents } from '../../lib/cli/report-run.js';
import type { ControlTarget } from '../../lib/control/routes.js';
import { openControl } from '../../lib/control/server.js';
import { breaches } from '../schemas.js';
import { idOf, sketch } from './statuses.js';

const cli = fileURLToPath(new URL('../../lib/cli.js', import.meta.url));

const secret = 'Tr0ub4dor';
const config = `hold-time: 5s
hooks:
  - run: [/bin/true, --key, "${secret}", "a ] b"]
    on: [failover]
# password: ${secret}
`;
const log = [
  `{"msg":"reloaded x: hooks: none -> failover=/bin/true ${secret} (10s) (applied)","changes":[{"key":"hooks","from":"none","to":"${secret}"},{"key":"hold-time","from":"0s","to":"5s"}]}`,
  `{"msg":"hooks: /bin/true on failover says","hook":["/bin/true","--key","${secret}"],"output":"${secret}"}`,
  `{"msg":"found: web1"}`,
  `not JSON, token=${secret}`,
  `{"cut off": "Authorization: Bearer ${secret}`,
];

t.test('what is a secret, and what is none', async (t) => {
  const redacted = redactLog(log.join('\n'));
  t.notMatch(redacted, secret);
  const lines = redacted.split('\n');
  t.match(JSON.parse(lines[0] ?? ''), { changes: [{ key: 'hooks' }, { from: '0s', to: '5s' }] });
  t.same((JSON.parse(lines[1] ?? '') as { hook: string[] }).hook, ['/bin/true', '***', '***']);
  t.equal(lines[2], log[2], 'all else is as it was');

  const table = `  hold-time  5s                 line 1
  hooks      failover=/bin/true ${secret}  x (10s), isolated=/p (10s)  line 2
  lans       A=eth1             default`;
  t.equal(redactConfig(table), table.replace(/failover=.*\)/, '***'));
  t.equal(
    redactConfig(`f.yaml:1:2: hooks[1].run[2]: ${secret} is not accepted; give a text`),
    'f.yaml:1:2: hooks[1].run[2]: ***',
  );
  t.equal(
    redactText('net.ipv6.conf.all.stable_secret = fe80::1'),
    'net.ipv6.conf.all.stable_secret = ***',
  );
  t.equal(redactText(`to http://me:${secret}@host/x`), 'to http://me:***@host/x');
  t.equal(
    redactText('10.1.0.1 dev eth0 lladdr 02:00:00:00:00:01'),
    '10.1.0.1 dev eth0 lladdr 02:00:00:00:00:01',
  );
});

/** A socket's path may have 101 bytes only. */
function shortDir(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'faild-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  return dir;
}

function report(cwd: string, ...args: string[]) {
  const argv = [cli, 'report', '--config', 'faild.yaml', '--socket', 's', ...args];
  return promisify(execFile)(process.execPath, argv, { cwd }).then(
    ({ stdout, stderr }) => ({ exit: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ exit: code as number, stdout, stderr }),
  );
}

/** Every file of the archive by its name, without the folder that holds them. */
function unpacked(file: string): Map<string, string> {
  const names = spawnSync('tar', ['-tzf', file], { encoding: 'utf8' }).stdout.split('\n');
  const files = names.filter((name) => name !== '' && !name.endsWith('/'));
  return new Map(
    files.map((name) => {
      const { stdout } = spawnSync('tar', ['-xzOf', file, name], { encoding: 'utf8' });
      return [name.replace(/^[^/]+\//, ''), stdout];
    }),
  );
}

const noProbes = { takenUs: 0, leftOut: 0, recordings: [] };

t.test('of a daemon that answers', async (t) => {
  const dir = shortDir(t);
  writeFileSync(join(dir, 'faild.yaml'), `${config}log-file: ${dir}/log\n`);
  writeFileSync(join(dir, 'log'), `${log.join('\n')}\n`);
  const control = await openControl(join(dir, 's'));
  t.teardown(() => control.close());
  const status = sketch({ web1: { A: 'up', B: 'down' }, web2: { A: 'up', B: 'up' } });
  control.attach({
    status: async () => status,
    recentEvents: async () => ({ events: [], complete: true }),
    explainFacts: () => ({ networkNamespace: null, namespaceId: '7' }),
    metrics: async () => 'faild_peers 2\n',
    probes: async () => ({ taken: noProbes, now: { wallMs: 0, monotonicUs: 0 } }),
  } as unknown as ControlTarget);

  const { exit, stdout } = await report(dir, '--output', 'r.tar.gz');
  t.equal(exit, 0, stdout);
  t.match(stdout, /^r\.tar\.gz written: \d+ files$/m);
  const file = join(dir, 'r.tar.gz');
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.same(
    readdirSync(dir).sort(),
    ['faild.yaml', 'log', 'r.tar.gz', 's', 's.admin'],
    'nothing beside it',
  );

  const files = unpacked(file);
  const explained = [...files.keys()].filter((name) => name.startsWith('explain/'));
  t.same(explained, [`explain/${idOf('web1')}.json`], 'the peer with a path down, and no other');
  t.match(JSON.parse(files.get('status.json') ?? ''), { schema: 'faild.status/1' });
  t.equal(files.get('metrics.txt'), 'faild_peers 2\n');
  t.match(files.get('config.txt'), /^ {2}hold-time +5s +line 1$/m);
  t.match(files.get('log.txt'), 'found: web1');
  t.match(files.get('versions.txt'), `node ${process.versions.node}`);
  for (const [name, text] of files) t.notMatch(text, secret, `no secret in ${name}`);
  for (const name of files.keys()) {
    if (name !== 'CONTENTS') t.ok(files.get('CONTENTS')?.includes(`${name}: `), `${name} is told`);
  }
});

t.test('of a host without a daemon and with a faulty file', async (t) => {
  const dir = shortDir(t);
  writeFileSync(join(dir, 'faild.yaml'), 'intervall: 1\n');
  const { exit, stdout } = await report(dir);
  t.equal(exit, 0);
  t.match(stdout, /^not in it: status\.json: no daemon answers on s: /m);
  const [, name = ''] = /^(faild-report-\S+-\d{8}-\d{6}\.tar\.gz) written/m.exec(stdout) ?? [];
  const files = unpacked(join(dir, name));
  t.match(files.get('config.txt'), /faild\.yaml:1:1: unknown key 'intervall'/);
  t.match(files.get('CONTENTS'), /^not there: doctor\.txt: /m);
  t.notOk(files.has('status.json'));

  const told = await report(dir, '--output', 'again.tgz', '--json');
  const contents = JSON.parse(told.stdout) as ReportContents;
  t.same(breaches(contents), []);
  t.equal(contents.file, 'again.tgz');
  t.match(contents.pieces.find((piece) => piece.name === 'status.json')?.missing, /^no daemon/);
});

t.test('it is whole or not there', async (t) => {
  const dir = shortDir(t);
  writeFileSync(join(dir, 'faild.yaml'), '{}\n');
  const { exit, stderr } = await report(dir, '--output', 'no/such/directory/r.tgz');
  t.equal(exit, 1);
  t.match(stderr, /^faild: report: cannot write no\/such\/directory\/r\.tgz: ENOENT.*\n$/);
  t.same(readdirSync(dir), ['faild.yaml']);
  t.notOk(existsSync(join(dir, 'no')));
});

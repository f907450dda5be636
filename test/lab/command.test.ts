// Aim: what the daemon tells the operator on a real host: bad input, missing rights and interfaces
// in one clear line, and a status that does not lie.
import './in-arena.js';
import t from 'tap';
import { faild, kCli, place } from './daemon.js';
import { Lab } from './lab.js';
import { inside, outcome } from './shell.js';

const bad: [string[], RegExp][] = [
  [['-t', '0'], /-t.*0/],
  [['-f', 'many'], /-f.*many/],
  [['-s', '-1'], /-s.*-1/],
  [['-p', '70000'], /-p.*70000/],
  [['--transport', 'pigeon'], /--transport.*pigeon/],
  [['--lan', 'A='], /--lan.*A=/],
];

t.test('bad input: one line, exit status 2', async (t) => {
  const lab = await Lab.open(t, { start: [] });
  const host = lab.topology.host(1);
  for (const [argv, line] of bad) {
    const { status, stderr } = await faild(host, ...argv, ...place(host));
    t.equal(status, 2, argv.join(' '));
    t.match(stderr, line);
    t.equal(stderr.trimEnd().split('\n').length, 1, `one line: ${stderr}`);
  }
});

t.test('an interface that does not exist: named', async (t) => {
  const lab = await Lab.open(t, { start: [] });
  const host = lab.topology.host(1);
  const { status, stderr } = await faild(host, '--lan', 'A=lanz', ...place(host));
  t.not(status, 0);
  t.match(stderr, /^faild: .*lanz.*\n$/);
});

t.test('without capabilities: says what is missing and how to grant it', async (t) => {
  const lab = await Lab.open(t, { start: [] });
  const host = lab.topology.host(1);
  const none = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--'];
  const argv = [process.execPath, kCli, '-r', '--state-dir', '/run/s', ...place(host)];
  const { status, stderr } = await outcome(inside(host.netns, [...none, ...argv]));
  t.not(status, 0);
  t.match(stderr, /^faild: .*CAP_NET_.*\n$/);
});

t.test('status: a path that is down is exit status 1, no daemon is 3', async (t) => {
  const lab = await Lab.open(t, { start: [1, 2], hosts: 2 });
  t.equal((await lab.daemon(1).status()).exit, 0);
  const sinceUs = await lab.cuts.cut({ lan: 'b' });
  await lab.daemon(1).saw('path-down', ({ path }) => path?.lan.name === 'B', { sinceUs });
  const { exit, status } = await lab.daemon(1).status();
  t.equal(exit, 1);
  t.same(
    status.peers[0]?.paths.map(({ state }) => state),
    ['up', 'down'],
  );
  const table = await faild(lab.topology.host(1), 'status', ...place(lab.topology.host(1)));
  t.equal(table.status, 1);
  t.match(table.stdout, /host2 +A +10\.1\.0\.2 +up/);
  t.match(table.stdout, / B +10\.2\.0\.2 +down/);
  await lab.daemon(1).stop();
  const gone = await faild(lab.topology.host(1), 'status', ...place(lab.topology.host(1)));
  t.equal(gone.status, 3);
});

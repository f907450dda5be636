// Aim: a host keeps its id for ever, its incarnation only grows, and a spoilt file is somebody's
// decision, not ours.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { takeIdentity } from '../../lib/cluster/identity.js';

const now = Date.UTC(2026, 0, 1);

t.test('the id stays, the incarnation grows', async (t) => {
  const dir = join(t.testdir(), 'not', 'yet', 'there');
  const first = takeIdentity(dir, now);
  t.match(first.host, /^[0-9a-f]{16}$/);
  t.equal(first.incarnation, now.toString(16).padStart(16, '0'));
  const second = takeIdentity(dir, now);
  t.equal(second.host, first.host);
  t.equal(BigInt(`0x${second.incarnation}`), BigInt(now) + 1n);
  t.equal(
    readFileSync(join(dir, 'incarnation'), 'latin1'),
    `${second.incarnation}\n`,
    'on disk before use',
  );
  t.same(readdirSync(dir).sort(), ['host-id', 'incarnation'], 'nothing temporary is left');
});

t.test('it grows even when the clock was set back', async (t) => {
  const dir = t.testdir();
  const first = takeIdentity(dir, now);
  const second = takeIdentity(dir, now - 86_400_000);
  t.ok(second.incarnation > first.incarnation);
});

t.test('two hosts have two ids', async (t) => {
  const dir = t.testdir();
  t.not(takeIdentity(join(dir, 'a'), now).host, takeIdentity(join(dir, 'b'), now).host);
});

for (const file of ['host-id', 'incarnation']) {
  for (const spoilt of ['', '0000000000000000', 'xyz', '123', '0123456789abcdef0', '\0\0\0\0']) {
    t.test(`${file} with ${JSON.stringify(spoilt)} is an error and is left as it is`, async (t) => {
      const dir = t.testdir({ 'host-id': 'a1b2c3d4e5f60718\n' });
      const path = join(dir, file);
      writeFileSync(path, spoilt);
      t.throws(() => takeIdentity(dir, now), {
        code: 'EBADSTATE',
        message: new RegExp(`${file} is spoilt: .* restore it from a backup, or delete it`),
      });
      t.equal(readFileSync(path, 'latin1'), spoilt);
    });
  }
}

t.test('a state directory that cannot be used is named', async (t) => {
  const dir = t.testdir({ file: '' });
  t.throws(() => takeIdentity(join(dir, 'file'), now), {
    code: 'EEXIST',
    message: /--state-dir: cannot use .*file.*; give a directory that faild may write/,
  });
  mkdirSync(join(dir, 'state', 'host-id'), { recursive: true });
  t.throws(() => takeIdentity(join(dir, 'state'), now), { code: 'EISDIR' });
  // Where Node's own recursive mkdir would go round for ever.
  t.throws(() => takeIdentity('/proc/nowhere/state', now), {
    code: 'ENOENT',
    message: /^--state-dir: cannot use \/proc\/nowhere\/state: ENOENT/,
  });
});

// Aim: what is drained is known again after a restart, and a file that is not there means nothing.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { readDrained, writeDrained } from '../../lib/cluster/drained.js';

t.test('kept, replaced, and nothing temporary is left', async (t) => {
  const dir = t.testdir();
  t.same(readDrained(dir), []);
  writeDrained(dir, ['A', 'rack:2']);
  t.same(readDrained(dir), ['A', 'rack:2']);
  writeDrained(dir, []);
  t.same(readDrained(dir), []);
  t.same(readdirSync(dir), ['drained']);
});

t.test('where it cannot be kept, the directory and the remedy are named', async (t) => {
  const dir = join(t.testdir({ file: '' }), 'file');
  t.throws(() => writeDrained(dir, ['A']), {
    code: 'ENOTDIR',
    message: /--state-dir: cannot use .*drained: .*; give a directory that faild may write/,
  });
});

// Aim: what is drained is known again after a restart, and a file that is not there means nothing.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { readDrained, writeDrained } from '../../lib/cluster/drained.js';

t.test('kept, replaced, and nothing temporary is left', async (t) => {
  const dir = t.testdir();
  const nothing = { lans: [], host: false };
  t.same(readDrained(dir), nothing);
  for (const drained of [
    { lans: ['A', 'rack:2'], host: false },
    { lans: ['A'], host: true },
    { lans: [], host: true },
    nothing,
  ]) {
    writeDrained(dir, drained);
    t.same(readDrained(dir), drained);
  }
  t.same(readdirSync(dir), ['drained']);
});

t.test('where it cannot be kept, the directory and the remedy are named', async (t) => {
  const dir = join(t.testdir({ file: '' }), 'file');
  t.throws(() => writeDrained(dir, { lans: ['A'], host: false }), {
    code: 'ENOTDIR',
    message: /--state-dir: cannot use .*drained: .*; give a directory that faild may write/,
  });
});

// `npm run bench`: makes the checkout ready, builds the native programs, then runs bench/run.ts.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { offerNeighbours } from '../scripts/debian.mjs';
import { must, root, say } from '../scripts/run.mjs';
import { setup } from '../scripts/setup.mjs';

const build = process.env.FAILD_BENCH_BUILD ?? join(root, 'build/bench');

setup(['bench', 'test'], { withTests: true });
// A short run compares with the neighbours that are there; it does not wait for a package archive.
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    smoke: { type: 'boolean' },
    page: { type: 'boolean' },
    only: { type: 'string' },
  },
  strict: false,
});
const named = values.only?.split(',').includes('peers');
if (named ?? !(values.quick || values.smoke || values.page)) offerNeighbours();
say('building the native programs of the bench');
must('cmake', 'cmake', ['-S', join(root, 'bench'), '-B', build]);
must('cmake --build', 'cmake', ['--build', build, '--parallel', '2']);
const { status } = spawnSync(
  process.execPath,
  [join(root, 'dist-test/bench/run.js'), ...process.argv.slice(2)],
  { stdio: 'inherit', cwd: root, env: { ...process.env, FAILD_BENCH_BUILD: build } },
);
process.exit(status ?? 1);

// `npm test`: makes the checkout ready, then runs every suite of the table below and adds up what
// the tools reported.
//
//   node scripts/test.mjs [SUITE...]      by name; all without arguments
//
// The last line is `N passed, N failed`; the exit status is 1 when anything failed.
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { attempt, root, say } from './run.mjs';
import { setup } from './setup.mjs';

// One row a suite: how it is run, and who reads its output. A folder that holds no test yet is
// skipped.
const kSuites = [
  { name: 'native', run: runNative },
  { name: 'lib', run: () => runTap('lib') },
  { name: 'cluster', run: () => runTap('cluster') },
  { name: 'addon', run: () => runTap('addon') },
  { name: 'bench', run: () => runTap('bench') },
  { name: 'tidy', run: () => runTap('tidy') },
  // Real daemons in network namespaces: last, since they are the slowest, and one at a time.
  { name: 'lab', run: () => runTap('lab', ['--jobs=1', '--timeout=1200']) },
];

/** Sums doctest's `test cases: 9 | 8 passed | 1 failed` over the executables that CTest ran. */
function readDoctest(output) {
  const lines = [...output.matchAll(/test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed/g)];
  const sum = (column) => lines.reduce((total, line) => total + Number(line[column]), 0);
  return { passed: sum(1), failed: sum(2) };
}

/** tap's closing comment, `# { total: 9, pass: 8, fail: 1 }`: assertions over all files. */
function readTap(output) {
  const last = output.match(/^# \{ total: .*\}$/gm)?.at(-1) ?? '';
  const field = (name) => Number(last.match(new RegExp(`\\b${name}: (\\d+)`))?.[1] ?? 0);
  return { passed: field('pass'), failed: field('fail') };
}

/**
 * A tool that failed without naming a failed test (a crash, a build error) counts as one failure.
 */
function judge(counts, { ok, output }) {
  const failed = ok ? counts.failed : Math.max(1, counts.failed);
  return { ...counts, failed, output: failed > 0 ? output : '' };
}

function runNative() {
  const cmakeJs = join(root, 'node_modules/cmake-js/bin/cmake-js');
  const where = ['--out', 'build/native', '--config', 'RelWithDebInfo'];
  const built = attempt(process.execPath, [cmakeJs, 'compile', ...where]);
  if (!built.ok) return judge({ passed: 0, failed: 0 }, built);
  const parallel = ['--parallel', String(availableParallelism())];
  const tested = attempt('ctest', ['--test-dir', 'build/native', ...parallel, '--verbose']);
  return judge(readDoctest(tested.output), tested);
}

function runTap(folder, options = []) {
  const compiled = join('dist-test/test', folder);
  // Only what still has a source: the output folder may hold a test that was since renamed.
  const files = existsSync(join(root, 'test', folder))
    ? readdirSync(join(root, 'test', folder)).filter((name) => name.endsWith('.test.ts'))
    : [];
  if (files.length === 0) return undefined;
  const tap = join(root, 'node_modules/tap/dist/esm/run.mjs');
  const paths = files.map((name) => join(compiled, name.replace(/ts$/, 'js')));
  const result = attempt(process.execPath, [tap, 'run', '--reporter=tap', ...options, ...paths]);
  return judge(readTap(result.output), result);
}

function main(wanted) {
  const suites = kSuites.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  if (suites.length === 0) {
    const names = kSuites.map(({ name }) => name).join(', ');
    process.stderr.write(`no such suite: ${wanted}; there are: ${names}\n`);
    process.exit(2);
  }
  setup(['demo', 'test'], { withTests: true });
  const total = { passed: 0, failed: 0 };
  for (const { name, run } of suites) {
    const result = run();
    if (result === undefined) continue;
    if (result.output !== '') process.stderr.write(`${result.output}\n`);
    say(`${name}: ${result.passed} passed, ${result.failed} failed`);
    total.passed += result.passed;
    total.failed += result.failed;
  }
  if (total.passed + total.failed === 0) total.failed = 1; // no test ran: that is no success
  say(`${total.passed} passed, ${total.failed} failed`);
  process.exit(total.failed > 0 ? 1 : 0);
}

main(process.argv.slice(2));

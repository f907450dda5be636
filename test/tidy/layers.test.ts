// Aim: dependencies run one way, and only the files that are named here touch a clock or Node.
import { basename } from 'node:path';
import t from 'tap';
import { cppCode, includes, lines, read, tracked } from './source.js';

// native/: each folder may include itself and what stands before it.
const nativeLayers = ['base', 'wire', 'core', 'io', 'addon'];

// lib/: each file may import from the rows above its own. `native` is one door in two files.
const libLayers = [
  [
    'clock',
    'completion-tree',
    'errors',
    'event-kinds',
    'hook-runner',
    'near-miss',
    'plot-scale',
    'plot-svg',
    'report-redact',
    'summary',
    'text-table',
    'units',
    'version',
  ],
  ['bench-model', 'kinds', 'plot-distribution', 'state-files'],
  ['hook-kind'],
  ['settings'],
  ['completion-man', 'completion-shells', 'native', 'native-engine'],
  ['probes'],
  [
    'commands',
    'config',
    'drained',
    'events',
    'identity',
    'interfaces',
    'kernel-routes',
    'machine',
    'schema',
    'service',
  ],
  [
    'config-file',
    'event-queue',
    'event-ring',
    'history-files',
    'hooks',
    'line-sink',
    'log-lines',
    'managers',
    'peers',
    'snapshots',
    'told',
  ],
  ['history', 'status'],
  ['advice', 'bench-report', 'metrics', 'metrics-server', 'policy', 'status-text', 'views'],
  ['moves'],
  ['cuts'],
  [
    'bench-cut-report',
    'bench-text',
    'explain',
    'faild',
    'findings',
    'log',
    'move-text',
    'probes-live',
    'reload',
    'round-trips',
    'top',
    'view-text',
  ],
  ['bench-cut-text', 'control-client', 'control-routes', 'probes-text'],
  ['explain-text'],
  ['bench', 'bench-cut', 'bench-html', 'check', 'control', 'doctor'],
  ['bench-run', 'completion', 'daemon', 'report', 'verbs'],
  ['report-run', 'top-run'],
  ['cli', 'index'],
];

const native = tracked(/^native\/.*\.(cc|h)$/);
const lib = tracked(/^lib\/.*\.ts$/);
const nativeLayer = (path: string) => nativeLayers.indexOf(path.split('/')[1] ?? '');
const libLayer = (name: string) => libLayers.findIndex((row) => row.includes(name));

t.test('native/ includes downwards only', async (t) => {
  for (const path of native) {
    t.ok(nativeLayer(path) >= 0, `${path} lies in a layer`);
    for (const header of includes(path).filter((name) => name.startsWith('"'))) {
      const target = nativeLayer(`native/${header.slice(1)}`);
      t.ok(target >= 0, `${path}: ${header} is named from native/`);
      t.ok(target <= nativeLayer(path), `${path} may include ${header}`);
    }
  }
});

t.test('only native/addon knows Node', async (t) => {
  for (const path of native.filter((file) => nativeLayer(file) < nativeLayers.indexOf('addon'))) {
    t.notMatch(includes(path).join(' '), /<(napi|node_api|node|uv|v8)\.h>/, path);
  }
});

t.test('base, wire and core know no thread, lock, socket or clock', async (t) => {
  const system = /<(chrono|thread|mutex|condition_variable|ctime|unistd\.h|time\.h|sys\/time\.h)>/;
  for (const path of native.filter((file) => nativeLayer(file) < nativeLayers.indexOf('io'))) {
    const names = includes(path).join(' ');
    t.notMatch(names, system, path);
    // The rtnetlink codec needs the numbers of the address families from there, and calls nothing.
    if (path.startsWith('native/wire/rtnetlink_')) {
      t.notMatch(cppCode(read(path)), /\b(socket|sendto|sendmsg|recv|recvmsg|bind)\(/, path);
    } else {
      t.notMatch(names, /<sys\/socket\.h>/, path);
    }
  }
});

t.test('one native file reads a clock', async (t) => {
  const clock = /\bclock_gettime\(|\bgettimeofday\(|\btime\((nullptr|NULL|0|&)|\bstd::chrono\b/;
  t.match(cppCode(read('native/io/clock.cc')), clock);
  for (const path of native.filter((file) => file !== 'native/io/clock.cc')) {
    t.notMatch(cppCode(read(path)), clock, path);
  }
});

t.test('native/sources.txt lists exactly the sources', async (t) => {
  const listed = lines('native/sources.txt').filter((line) => line.startsWith('native/'));
  t.same([...listed].sort(), native.filter((path) => path.endsWith('.cc')).sort());
});

t.test('lib/ imports downwards only', async (t) => {
  for (const path of lib) {
    const name = basename(path, '.ts');
    const own = libLayer(name);
    t.ok(own >= 0, `${path} stands in the table of layers`);
    for (const [, target = ''] of read(path).matchAll(/(?:from|import\() ?'\.\/([\w-]+)\.js'/g)) {
      const allowed =
        libLayer(target) < own || (own === libLayer('native') && own === libLayer(target));
      t.ok(libLayer(target) >= 0 && allowed, `${path} may import ${target}`);
    }
  }
});

t.test('one file of lib/ loads the addon, one reads a clock', async (t) => {
  const door = /pkg-prebuilds|\.node['"`]|process\.dlopen/;
  const clock = /\bDate\.now\(|\bnew Date\(\)|\bprocess\.hrtime\b|\bperformance\.now\(/;
  for (const path of lib) {
    if (path !== 'lib/native.ts') t.notMatch(read(path), door, path);
    if (path !== 'lib/clock.ts') t.notMatch(read(path), clock, path);
  }
  t.match(read('lib/native.ts'), door);
  t.match(read('lib/clock.ts'), clock);
});

// Aim: dependencies run one way, and only the files that are named here touch a clock or Node.
import { dirname, join } from 'node:path';
import t from 'tap';
import { cppCode, includes, lines, read, tracked } from './source.js';

// native/: each folder may include itself and what stands before it.
const nativeLayers = ['base', 'wire', 'core', 'io', 'addon'];

// lib/: the same, and no two files need each other. cli.ts and index.ts, the doors, stand above.
const libLayers = [
  'base',
  'engine',
  'config',
  'cluster',
  'journal',
  'metrics',
  'control',
  'text',
  'daemon',
  'doctor',
  'bench',
  'cli',
];
const doors = ['lib/cli.ts', 'lib/index.ts'];

const native = tracked(/^native\/.*\.(cc|h)$/);
const lib = tracked(/^lib\/.*\.ts$/);
const nativeLayer = (path: string) => nativeLayers.indexOf(path.split('/')[1] ?? '');
const libLayer = (path: string) =>
  doors.includes(path) ? libLayers.length : libLayers.indexOf(path.split('/')[1] ?? '');

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

/** The files of lib/ that one of them imports. */
function imports(path: string): string[] {
  const targets = read(path).matchAll(/(?:from|import\() ?'(\.[\w./-]+)\.js'/g);
  return [...targets].map(([, target = '']) => `${join(dirname(path), target)}.ts`);
}

t.test('lib/ imports downwards only', async (t) => {
  for (const path of lib) {
    const own = libLayer(path);
    t.ok(own >= 0, `${path} lies in a layer`);
    for (const target of imports(path)) {
      t.ok(lib.includes(target) && libLayer(target) <= own, `${path} may import ${target}`);
      t.notOk(doors.includes(target), `${path} enters by no door`);
    }
  }
});

t.test('no file of lib/ needs itself', async (t) => {
  const loops = new Set<string>();
  const done = new Set<string>();
  const visit = (path: string, above: string[]): void => {
    if (above.includes(path)) loops.add(above.slice(above.indexOf(path)).join(' > '));
    if (above.includes(path) || done.has(path)) return;
    for (const target of imports(path)) visit(target, [...above, path]);
    done.add(path);
  };
  for (const path of lib) visit(path, []);
  t.equal(done.size, lib.length);
  t.same([...loops], []);
});

t.test('one file of lib/ loads the addon, one reads a clock', async (t) => {
  const door = /pkg-prebuilds|\.node['"`]|process\.dlopen/;
  const clock = /\bDate\.now\(|\bnew Date\(\)|\bprocess\.hrtime\b|\bperformance\.now\(/;
  for (const path of lib) {
    if (path !== 'lib/engine/native.ts') t.notMatch(read(path), door, path);
    if (path !== 'lib/base/clock.ts') t.notMatch(read(path), clock, path);
  }
  t.match(read('lib/engine/native.ts'), door);
  t.match(read('lib/base/clock.ts'), clock);
});

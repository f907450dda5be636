// Aim: a reload applies what is policy, names what needs a restart and leaves it as it was; a bad
// file or a refused plan changes nothing at all.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import type { Surroundings } from '../../lib/cluster/advice.js';
import { type Config, type DaemonOptions, readSettings } from '../../lib/config/config.js';
import { loadOptions } from '../../lib/config/config-file.js';
import { differences, Reloader, showChange } from '../../lib/control/reload.js';

const before = { lan: ['A=eth1', 'B=eth2'], interval: 0.01, holdTime: 0 };
const changesOf = (after: DaemonOptions) =>
  differences(readSettings(before), readSettings({ ...before, ...after })).map(showChange);

t.test('the difference, in the words of the file', async (t) => {
  t.same(changesOf({}), []);
  t.same(changesOf({ interval: 0.01, holdTime: '0s', transport: 'auto' }), [], 'said otherwise');
  t.same(changesOf({ holdTime: '30s', grayLoss: '20%', interval: 0.001, cpu: 1 }), [
    'interval: 10ms -> 1ms (applied)',
    'hold-time: 0s -> 30s (applied)',
    'gray-loss: off -> 20% (applied)',
    'cpu: any -> 1 (needs a restart)',
  ]);
  t.same(changesOf({ lan: ['B=eth2', 'A=eth1'] }), [
    'lans: A=eth1, B=eth2 -> B=eth2, A=eth1 (applied)',
  ]);
  const own = { name: 'A', interface: 'eth1', interval: 0.05, failAfter: 9 };
  t.same(changesOf({ lan: [own, 'B=eth2'] }), [
    'lans: A=eth1, B=eth2 -> A=eth1 (interval 50ms, fail-after 9), B=eth2 (applied)',
  ]);
  t.same(changesOf({ lan: ['A=eth1', 'B=eth3'] }), [
    'lans: A=eth1, B=eth2 -> A=eth1, B=eth3 (needs a restart)',
  ]);
  t.same(changesOf({ lan: [] }), [
    'lans: A=eth1, B=eth2 -> every suitable interface (needs a restart)',
  ]);
});

interface Bench {
  reloader: Reloader;
  write(text: string): void;
  applied: Config[];
  around: Surroundings;
  refuse: Error | undefined;
}

function makeBench(t: Test, text: string, flags: DaemonOptions = {}): Bench {
  const config = join(t.testdir({ 'faild.yaml': text }), 'faild.yaml');
  const given = { ...flags, config };
  const bench: Bench = {
    reloader: new Reloader(given, readSettings(loadOptions(given).options), {
      async reconfigure(next) {
        if (bench.refuse !== undefined) throw bench.refuse;
        bench.applied.push(next);
      },
      surroundings: async () => bench.around,
    }),
    write: (changed) => writeFileSync(config, changed),
    applied: [],
    around: {},
    refuse: undefined,
  };
  return bench;
}

t.test('applied in place; what needs a restart stays, and is named each time', async (t) => {
  const bench = makeBench(t, 'interval: 10ms\n');
  t.match(await bench.reloader.reload(), { changes: [], warnings: [] });
  t.same(bench.applied, [], 'no change, no plan');
  bench.write('port: 9312\ninterval: 1ms\nhold-time: 30s\n');
  const { changes } = await bench.reloader.reload();
  t.same(changes.map(showChange), [
    'interval: 10ms -> 1ms (applied)',
    'port: 9311 -> 9312 (needs a restart)',
    'hold-time: 0s -> 30s (applied)',
  ]);
  t.match(bench.applied, [{ intervalUs: 1000, port: 9311, holdUs: 30e6 }]);
  const again = await bench.reloader.reload();
  t.same(again.changes.map(showChange), ['port: 9311 -> 9312 (needs a restart)']);
  t.equal(bench.applied.length, 1);
});

t.test('flags win at a reload as well', async (t) => {
  const bench = makeBench(t, '', { holdTime: '5s' });
  bench.write('hold-time: 30s\nswitchback: sticky\n');
  const { changes } = await bench.reloader.reload();
  t.same(
    changes.map(({ key }) => key),
    ['switchback'],
  );
  t.match(bench.applied, [{ holdUs: 5e6, switchback: 'sticky' }]);
});

t.test('a bad file changes nothing', async (t) => {
  const bench = makeBench(t, 'hold-time: 30s\n');
  bench.write('hold-time: 60s\nswitchback: 3\nport: x\n');
  await t.rejects(bench.reloader.reload(), { code: 'EINVAL', faults: { length: 2 } });
  t.same(bench.applied, []);
  bench.write('hold-time: 30s\n');
  t.same((await bench.reloader.reload()).changes, [], 'what is in force has stayed');
});

t.test('a plan that the engine refuses changes nothing', async (t) => {
  const bench = makeBench(t, '');
  bench.write('hold-time: 30s\n');
  bench.refuse = new Error('refused');
  await t.rejects(bench.reloader.reload(), { message: 'refused' });
  bench.refuse = undefined;
  t.same((await bench.reloader.reload()).changes.map(showChange), [
    'hold-time: 0s -> 30s (applied)',
  ]);
});

t.test('one at a time, in order', async (t) => {
  const bench = makeBench(t, '');
  bench.write('hold-time: 30s\n');
  const [first, second] = await Promise.all([bench.reloader.reload(), bench.reloader.reload()]);
  t.equal(first.changes.length, 1);
  t.same(second.changes, []);
});

t.test('warnings speak of what the file asks for', async (t) => {
  const bench = makeBench(t, 'transport: udp\n');
  bench.around = { transport: 'udp', rpFilters: new Map([['eth1', 1]]) };
  t.match((await bench.reloader.reload()).warnings, [/^strict rp_filter on eth1/]);
});

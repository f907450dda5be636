// Aim: each dangerous combination is told with its reason; a wise one is not disturbed.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';

import { adviseOn, type Surroundings } from '../../lib/cluster/advice.js';
import type { StatusPeer } from '../../lib/cluster/status.js';
import { type DaemonOptions, parseConfig } from '../../lib/config/config.js';
import {
  inUserNamespace,
  measureTimerLatenessUs,
  readClockSource,
  readRpFilters,
  realtimeLimit,
} from '../../lib/engine/machine.js';

const advice = (options: DaemonOptions, around: Surroundings) =>
  adviseOn(parseConfig(options), around).map(({ about, line }) => `${about}: ${line}`);

t.test('a detection time shorter than what the timers hold', async (t) => {
  t.match(advice({ interval: 0.001 }, { timerLatenessUs: 4200 }), [
    'timers: a path is invalidated after 3 ms (interval 1 ms, fail-after 3), but timers of this ' +
      'machine have just been 4.2 ms late at ordinary priority: such a pause looks like a dead ' +
      'host to its peers; raise interval or fail-after',
  ]);
  t.same(advice({ interval: 0.001 }, { timerLatenessUs: 1900 }), [], 'two packets may be late');
  t.equal(advice({ interval: 0.001, failAfter: 1 }, { timerLatenessUs: 900 }).length, 1);
  t.same(advice({}, { timerLatenessUs: 100_000 }), []);
  const quick = { name: 'B', interface: 'eth2', interval: 0.001, failAfter: 5 };
  t.match(advice({ lan: ['A=eth1', quick] }, { timerLatenessUs: 4200 }), [
    /^timers: a path on LAN B is invalidated after 5 ms \(interval 1 ms, fail-after 5\), /,
  ]);
  t.same(
    advice({ interval: 0.001, lan: [{ ...quick, interval: 0.01 }] }, { timerLatenessUs: 4200 }),
    [],
  );
});

t.test('strict rp_filter with the udp transport', async (t) => {
  const rpFilters = new Map([
    ['eth1', 1],
    ['eth2', 2],
    ['eth3', 0],
    ['eth4', 1],
  ]);
  t.match(advice({}, { transport: 'udp', rpFilters }), [
    /^rp_filter: strict rp_filter on eth1, eth4 with the udp transport: /,
  ]);
  t.same(advice({}, { transport: 'raw', rpFilters }), []);
  t.same(advice({}, { rpFilters }), [], 'not known yet');
});

t.test('realtime priority refused', async (t) => {
  t.match(advice({}, { realtimeLimit: 0 }), [
    /^realtime: realtime-priority 50 is refused to this user, who may have none: /,
  ]);
  t.match(advice({ realtimePriority: 90 }, { realtimeLimit: 80 }), [/who may have 80: /]);
  t.same(advice({}, { realtimeLimit: 99 }), []);
  t.same(advice({ realtimePriority: 0 }, { realtimeLimit: 0 }), [], 'not asked for');
});

const peer = (name: string, intervalUs: number, requestor = true): StatusPeer =>
  ({ id: name, name, requestor, paths: [{ lan: 'A', intervalUs }] }) as unknown as StatusPeer;

t.test("an interval below the peers'", async (t) => {
  const peers = [peer('host2', 10_000), peer('host3', 100_000), peer('host4', 500_000, false)];
  t.match(advice({ requestor: true, interval: 0.01 }, { peers }), [
    /^peers: interval 10 ms is below that of peers \(host3 100 ms\): /,
  ]);
  t.same(advice({ requestor: true, interval: 0.1 }, { peers }), []);
  t.same(advice({ interval: 0.001 }, { peers }), [], 'a responder asks nobody');
  const lan = [{ name: 'A', interface: 'eth1', interval: 0.05 }];
  t.match(advice({ requestor: true, interval: 1, lan }, { peers }), [
    /^peers: interval 50 ms on LAN A is below that of peers \(host3 100 ms\): /,
  ]);
  const many = Array.from({ length: 7 }, (_, at) => peer(`h${at}`, 1e6));
  t.match(advice({ requestor: true }, { peers: many }), [/h4 1 s and 2 more\)/]);
});

t.test('this machine answers', async (t) => {
  const lateUs = measureTimerLatenessUs(5);
  t.ok(lateUs > 0 && lateUs < 10e6, `timers were ${lateUs} us late`);
  t.ok([0, 1, 2].includes(readRpFilters(['lo']).get('lo') ?? -1));
  t.ok(readRpFilters(['no-such-device']).has('no-such-device'));
  t.ok(realtimeLimit() >= 0);
});

t.test('the clock source is one of those that this machine has', async (t) => {
  const file = '/sys/devices/system/clocksource/clocksource0/available_clocksource';
  const available: (string | null)[] = existsSync(file)
    ? readFileSync(file, 'utf8').split(/\s+/)
    : [null];
  t.ok(available.includes(readClockSource()), available.join());
});

/** <linux/proc_ns.h>: PROC_USER_INIT_INO, the machine's own. */
const kFirstUserNamespace = 'user:[4026531837]';

t.test('a user namespace is told from the machine itself', async (t) => {
  t.equal(inUserNamespace(), readlinkSync('/proc/self/ns/user') !== kFirstUserNamespace);
  const machine = fileURLToPath(new URL('../../lib/engine/machine.js', import.meta.url));
  const ask = `import(${JSON.stringify(machine)}).then((m) => console.log(m.inUserNamespace()))`;
  const inner = ['--user', '--map-root-user', process.execPath, '-e', ask];
  const { status, stdout } = spawnSync('unshare', inner, { encoding: 'utf8' });
  if (status !== 0) return void t.comment('no user namespace may be made here');
  t.equal(stdout, 'true\n');
});

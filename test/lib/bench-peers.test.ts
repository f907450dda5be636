// Aim: what the comparison with the neighbours reads from corosync's log is what happened, and a
// configuration is written whole or not at all.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { movesIn } from '../../bench/peers/corosync.js';
import { configure } from '../../bench/peers/process.js';
import { lowestStable, type PeerResult } from '../../bench/scenarios/peers.js';
import { nowUs } from '../lab/shell.js';
import { Host } from '../lab/topology.js';

const offsetUs = nowUs() - Date.now() * 1000;

/** A line as corosync stamps it, `ms` after a full second of this minute. */
function line(at: Date, text: string): string {
  const month = at.toLocaleString('en', { month: 'short' });
  const two = (value: number) => String(value).padStart(2, '0');
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
  const ms = String(at.getMilliseconds()).padStart(3, '0');
  return `${month} ${two(at.getDate())} ${time}.${ms} info    [KNET  ] ${text}`;
}

t.test('the links that knet took, as moves', async (t) => {
  const start = new Date(Date.now() - 10_000);
  const after = (ms: number) => new Date(start.getTime() + ms);
  const best = (link: number) => `host: host: 2 (passive) best link: ${link} (pri: 2)`;
  const log = [
    line(after(0), best(0)),
    line(after(1000), 'link: host: 2 link: 0 is down'),
    line(after(1004), best(1)),
    line(after(1500), best(1)), // said again: no move
    line(after(2357), best(0)),
  ].join('\n');
  const atUs = (ms: number) => after(ms).getTime() * 1000 + offsetUs;
  const links = (sinceMs: number) => movesIn(log, atUs(sinceMs)).map((move) => move.interface);

  t.same(links(-1), [0, 1, 0]);
  t.same(links(500), [0, 1, 0], 'begins with the link in force');
  t.same(links(1200), [1, 0]);
  t.same(links(3000), [0]);
  const [, away, back] = movesIn(log, atUs(500));
  t.ok(Math.abs((away?.atUs ?? 0) - atUs(1004)) < 1000, 'at the instant of the log line');
  t.ok(Math.abs((back?.atUs ?? 0) - atUs(2357)) < 1000);
});

t.test('a configuration is filled from its template', async (t) => {
  const lans = ['a', 'b'];
  const [host, other] = [new Host(1, lans, 'one'), new Host(2, lans, 'two')];
  const site = { host, other, directory: t.testdir() };
  const text = readFileSync(configure(site, 'bird.conf', { bfd: 'interval 10 ms;' }), 'utf8');
  t.match(text, 'route 10.1.0.2/32 via 10.1.0.2 bfd;');
  t.match(text, '    interval 10 ms;\n');
  t.throws(() => configure(site, 'bird.conf', {}), /nothing is known of \{bfd\}/);
});

t.test('the lowest setting that is stable here, of each peer', async (t) => {
  const quiet = (falseMoves: number, whileStalled = 0) => ({
    ...{ falseMoves, whileStalled },
    ...{ seconds: 60, stalls: whileStalled, longestStallUs: 0 },
  });
  const ran = (peer: string, intervalMs: number, idle: number, busy = 0, lost: string[] = []) =>
    ({
      ...{ peer, intervalMs, lost, cuts: [] },
      minute: { idle: quiet(idle), busy: quiet(busy), cpuPercent: [] },
    }) as unknown as PeerResult;
  const stalled = ran('c', 1, 0);
  stalled.minute = { idle: quiet(3, 3), busy: null, cpuPercent: [] };
  const results = [
    ran('a', 100, 0),
    ran('a', 10, 0),
    ran('a', 1, 0, 2),
    ran('b', 10, 1),
    stalled,
    { ...ran('d', 1, 0), minute: null },
    ran('d', 10, 0, 0, ['turn 2: it ended']),
    ran('d', 100, 0),
  ];
  const found = lowestStable(results).map(({ peer, intervalMs }) => [peer, intervalMs]);
  t.same(found, [
    ['a', 10],
    ['c', 1],
    ['d', 100],
  ]);
});

// Aim: with `rto-min` a TCP request/response flow that a silent cut hits resumes within 20 ms. The
// timer is in force while all is well, towards faild's peers alone, and during a failover; a foreign
// hand, a link that goes and a crash do not take it away, a reload and a clean stop do.
import './in-arena.js';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { kArenaDirectory } from './arena.js';
import { faild, place } from './daemon.js';
import type { Dialogue } from './flows.js';
import { Lab } from './lab.js';
import { nowUs } from './shell.js';

/** native/base/routes.h: kDirectTable, kDirectPriority. */
const kTable = '931109';
const kPriority = '940';

/** Of a kernel with HZ=250, whose timers count in such steps: 5ms would be two of them. */
const kOneJiffy = '4ms';
/** A cut, as long as TCP's own 200 ms and then some; and calm enough for TCP to forget it. */
const kCutMs = 300;
const kCalmMs = 300;
const kResumesWithinUs = 20_000;
/** Faster than any verdict: the cut has hit no traffic, as LAN A's was on LAN B just then. */
const kUnhurtUs = 2000;
/**
 * Nor can anything be said of a cut during which a daemon stalled: the machine was away. They tell
 * of that once a second at most, and the flow's own ends not at all: hence the median.
 */
const kJudged = 7;
const kMostCuts = 20;

interface Cut {
  resumedUs: number;
  /** Why it is not judged. */
  spoilt: 'stalled' | 'unhurt' | null;
}

/** Cuts LAN A under a dialogue, and heals it. */
async function cutOnce(lab: Lab, dialogue: Dialogue): Promise<Cut> {
  await pause(kCalmMs);
  const cutUs = await lab.cuts.cut({ lan: 'a' });
  await pause(kCutMs);
  const { stallEndUs } = await dialogue.report(cutUs);
  const stalls = await lab.said(['stalled'], { sinceUs: cutUs });
  const stalled = stalls.some(({ monotonicUs = 0, lateUs = 0 }) => {
    return monotonicUs >= cutUs && monotonicUs - Number(lateUs) <= stallEndUs;
  });
  const resumedUs = stallEndUs - cutUs;
  const unhurt = resumedUs < kUnhurtUs ? 'unhurt' : null;
  await lab.cuts.heal({ lan: 'a' });
  await lab.goes('a', 'a');
  return { resumedUs, spoilt: stalled ? 'stalled' : unhurt };
}

t.test('a request/response flow resumes within 20 ms of a cut at -t 0.001 -f 3', async (t) => {
  const daemon = { interval: 0.001, failAfter: 3, more: ['--rto-min', kOneJiffy] };
  const lab = await Lab.open(t, { daemon });
  const dialogue = await lab.dialogue(1, 2, 'a');
  const cuts: Cut[] = [];
  const judged = () => cuts.filter(({ spoilt }) => spoilt === null).map((cut) => cut.resumedUs);
  while (cuts.length < kMostCuts && judged().length < kJudged)
    cuts.push(await cutOnce(lab, dialogue));
  const told = cuts.map((cut) => `${Math.round(cut.resumedUs) / 1000} ${cut.spoilt ?? ''}`.trim());
  t.comment(`from the cut to the next answer, in ms: ${told.join(', ')}`);
  t.equal(judged().length, kJudged, 'cuts that can be judged');
  const median = judged().sort((a, b) => a - b)[(kJudged - 1) / 2] ?? Number.POSITIVE_INFINITY;
  t.ok(median <= kResumesWithinUs, `${Math.round(median) / 1000} ms, the median`);
  await lab.stopsClean(t);
});

t.test('where the timer is in force, and how long', async (t) => {
  const file = join(kArenaDirectory, 'rto-min.yaml');
  const write = (text: string) => writeFileSync(file, text);
  write('rto-min: 5ms\n');
  const special = { 1: { more: ['--config', file] } };
  const lab = await Lab.open(t, { hosts: 3, start: [1, 2], special });
  const host = lab.topology.host(1);
  const direct = async (): Promise<string[]> => {
    const found = ['-4', '-6'].map((family) =>
      host.run('ip', family, 'route', 'show', 'table', 'all', 'proto', '213'),
    );
    const lines = (await Promise.all(found)).join('').split('\n');
    return lines.filter((line) => line.includes(`table ${kTable} `));
  };
  const settled = (count: number) =>
    lab.until('the direct routes', async () => {
      const found = await direct();
      const timed = found.filter((line) => line.includes('rto_min lock 5ms'));
      return found.length === count && timed.length === count
        ? []
        : found.concat(`${count} wanted`);
    });
  const way = (address: string) => host.run('ip', 'route', 'get', address);

  await settled(4);
  for (const address of ['10.1.0.2', 'fd00:1::2', '10.2.0.2', 'fd00:2::2'])
    t.match(await way(address), 'rto_min lock 5ms', `${address}, a peer`);
  t.notMatch(await way('10.1.0.3'), /rto_min/, 'a host without faild');
  t.match(await way('10.1.0.3'), 'dev lana');
  const explained = await faild(host, 'explain', 'host2', ...place(host));
  t.match(explained.stdout, `table ${kTable}: dev lana src 10.1.0.1`);

  await host.run('ip', 'route', 'flush', 'table', kTable);
  await lab.daemon(1).saw('route-repaired');
  await settled(4);

  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', (from, to) => (from + to === 3 ? 'b' : 'a'));
  t.match(await way('10.1.0.2'), 'rto_min lock 5ms', 'on the alternate as well');
  await lab.cuts.heal({ lan: 'a' });
  await lab.goes('a', 'a');

  await lab.topology.carrier(1, 'a', false);
  await settled(2);
  await lab.topology.carrier(1, 'a', true);
  await settled(4);
  t.same(await lab.said(['route-failed']), []);

  await lab.daemon(1).kill();
  const left = await direct();
  t.equal(left.length, 4, 'a crash takes nothing away');
  await lab.start(1);
  await lab.allUp();
  await settled(4);
  t.same((await direct()).sort(), left.sort(), 'the next run takes them over as they are');

  write('rto-min: off\n');
  const sinceUs = nowUs();
  t.match(await faild(host, 'reload', ...place(host)), {
    status: 0,
    stdout: /rto-min: 5ms -> off \(applied\)/,
  });
  await settled(0);
  t.notMatch(await host.run('ip', 'rule', 'show'), new RegExp(`^${kPriority}:`, 'm'));
  t.same(await lab.said(['path-down', 'failover'], { sinceUs }), []);
  await lab.stopsClean(t);
});

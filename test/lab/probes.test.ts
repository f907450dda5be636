// Aim: the flight recorder of a real daemon holds both directions on both LANs, `faild probes
// --live` tells each of them as it passes, at 1 ms as well, and after a real cut the log's line has
// what was heard last, and what was sent in vain.
import './in-arena.js';
import type { ChildProcess } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { MissedProbes } from '../../lib/cluster/probes-live.js';
import type { RecordedProbe, SeenProbe } from '../../lib/engine/probes.js';
import type { Told } from '../../lib/text/explain.js';
import { faild, isPath, kCli, place } from './daemon.js';
import { Lab } from './lab.js';
import { eachLine, Records, type Timed } from './records.js';
import { nowUs } from './shell.js';

const interval = 0.05;
const detectionUs = 3 * interval * 1e6;

type Line = Timed & (SeenProbe | MissedProbes);
type Seen = Timed & SeenProbe;

/** `faild probes --live --json` on host1, as it is written. */
function follow<L extends Line = Seen>(
  t: Test,
  lab: Lab,
): { child: ChildProcess; followed: Records<L> } {
  const host = lab.topology.host(1);
  const following = ['probes', '--live', '--json', ...place(host)];
  const child = host.launch([process.execPath, kCli, ...following], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const followed = new Records<L>();
  if (child.stdout === null) throw new Error('no output to read');
  eachLine(child.stdout, (line) => followed.push({ ...JSON.parse(line), readUs: nowUs() }));
  return { child, followed };
}

async function tellsAll(t: Test, followed: Records<Seen>): Promise<void> {
  for (const lan of ['A', 'B']) {
    const on = (direction: string) => (line: SeenProbe) =>
      line.kind === 'inq' && line.direction === direction && line.lan === lan;
    const sent = await followed.waitFor(on('sent'), `an inquiry of ours on ${lan}`, 10_000);
    t.match(sent, { peer: null, lateUs: Number });
    const second = (line: SeenProbe) => on('received')(line) && line.gapUs !== undefined;
    const heard = await followed.waitFor(second, `two of host2's on ${lan}`, 10_000);
    t.match(heard, { peer: { name: 'host2' }, unreadUs: Number });
    // The clock of the two hosts is one, so a gap is an interval and what this machine made of it.
    t.ok((heard.gapUs ?? 0) > 1000, `${heard.gapUs} us between two of host2's`);
    const inOrder = followed
      .between(0)
      .filter(on('received'))
      .map(({ sequence }) => sequence);
    t.same(
      inOrder,
      [...new Set(inOrder)].sort((a, b) => a - b),
      'each once, in order',
    );
  }
}

function holdsTheEvidence(t: Test, probes: readonly RecordedProbe[]): void {
  const heard = probes.filter(({ direction }) => direction === 'received');
  const last = heard.at(-1)?.atUs ?? 0;
  t.ok(heard.length >= 3, `${heard.length} probes of the peer`);
  t.ok(last <= -detectionUs, `the last one arrived ${-last} us before the verdict`);
  const inVain = probes.filter(({ direction, atUs }) => direction === 'sent' && atUs > last);
  t.ok(inVain.length >= 2, `${inVain.length} of ours since`);
  t.ok(
    probes.every(({ atUs }) => atUs <= 0),
    'nothing of what came after it',
  );
}

t.test('what passed before a verdict', async (t) => {
  const lab = await Lab.open(t, { daemon: { interval, restoreAfter: 3 } });
  const host = lab.topology.host(1);
  await tellsAll(t, follow(t, lab).followed);
  const show = (...argv: string[]) => faild(host, ...argv, ...place(host));
  t.match(await show('probes', 'host2', '--lan', 'B'), {
    status: 0,
    stdout: /^\d\d:\d\d:\d\d\.\d{6} {2}B {2}<- host2 {9}inq +\d+ {2}gap /m,
  });
  t.match(await show('probes', '--live', 'host9'), { status: 2, stderr: /no peer 'host9'/ });

  await lab.cuts.cut({ lan: 'a' });
  const down = await lab.daemon(1).saw('path-down', ({ path }) => {
    return isPath(path, lab.topology.host(2), 'a');
  });
  holdsTheEvidence(t, down.probes as RecordedProbe[]);

  await pause(2000);
  const { stdout } = await show('explain', 'host2', '--json');
  const [onA] = (JSON.parse(stdout) as Told).paths;
  const verdictAtUs = onA?.verdictAtUs ?? 0;
  t.ok(verdictAtUs < -1.9e6, `the verdict was ${-verdictAtUs} us ago`);
  const kept = onA?.probes?.map((probe) => ({ ...probe, atUs: probe.atUs - verdictAtUs })) ?? [];
  holdsTheEvidence(t, kept);
  const withoutTime = (probes: readonly RecordedProbe[]) =>
    probes.map(({ atUs: _, ...rest }) => rest);
  t.same(withoutTime(kept), withoutTime(down.probes as RecordedProbe[]), 'that of the log');
  const headline = ' {2}probes {3}before the verdict:\\n';
  const line = (what: string) => ` {11}-.*${what}.*\\n`;
  const heardLastThenAsked = new RegExp(
    `^${headline}(?:${line('')})*${line(' <- inq ')}(?:${line('')})*${line(' -> inq ')}`,
    'm',
  );
  t.match(await show('explain', 'host2'), { stdout: heardLastThenAsked });
  await lab.cuts.heal({ lan: 'a' });
  await lab.allUp();
  const { stdout: again } = await show('explain', 'host2', '--json');
  t.match((JSON.parse(again) as Told).paths[0], { verdictAtUs: null });
});

/** Inquiries that are missing between the first and the last told, on both LANs, to and fro. */
function missingIn(t: Test, lines: readonly Line[]): number {
  const streams = new Map<string, number[]>();
  for (const line of lines) {
    if ('more' in line || line.kind !== 'inq') continue;
    const key = `${line.direction} on ${line.lan}`;
    streams.set(key, [...(streams.get(key) ?? []), line.sequence]);
  }
  t.equal(streams.size, 4);
  const missing = [...streams.values()].map((told) => {
    const [first = 0, last = 0] = [told[0], told.at(-1)];
    return last - first + 1 - told.length;
  });
  return missing.reduce((sum, some) => sum + some, 0);
}

const moreIn = (lines: readonly Line[]): number =>
  lines.reduce((sum, line) => sum + ('more' in line ? line.more : 0), 0);

const lostIn = (lines: readonly Line[]): number =>
  lines.reduce((sum, line) => sum + ('more' in line ? 0 : (line.lost ?? 0)), 0);

t.test('every packet at 1 ms', async (t) => {
  const lab = await Lab.open(t, { daemon: { interval: 0.001, failAfter: 200, restoreAfter: 5 } });
  const { child, followed } = follow<Line>(t, lab);
  await followed.waitFor(() => true, 'the first probe', 10_000);
  await pause(3000);
  const lines = followed.between(0);
  t.comment(`${lines.length} told`);
  t.equal(moreIn(lines), 0, 'none went by untold');
  // What a full socket, or this machine, has lost on the way is told as such.
  t.equal(missingIn(t, lines), lostIn(lines), 'no sequence is missing');

  child.kill('SIGSTOP');
  await pause(5000);
  child.kill('SIGCONT');
  const resumedUs = nowUs();
  await followed.waitFor((line) => 'more' in line, 'what was missed', 10_000, resumedUs);
  await pause(1000);
  const all = followed.between(0);
  const more = moreIn(all);
  const missing = missingIn(t, all) - lostIn(all);
  t.ok(more >= missing && more < missing + 50, `${more} missed, of them ${missing} inquiries`);

  child.kill('SIGSTOP');
  await pause(3000);
  child.kill('SIGKILL');
  const next = follow<Line>(t, lab).followed;
  await next.waitFor(() => true, 'another listener', 10_000);
  await pause(500);
  t.equal(moreIn(next.between(0)), 0, 'what the one before him has not read is none of his');
});

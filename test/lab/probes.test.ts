// Aim: the flight recorder of a real daemon holds both directions on both LANs, `faild probes --live`
// tells them as they pass, and after a real cut the log's line has what was heard last, and what was
// sent in vain.
import './in-arena.js';
import t, { type Test } from 'tap';
import type { RecordedProbe, SeenProbe } from '../../lib/engine/probes.js';
import type { Told } from '../../lib/text/explain.js';
import { faild, isPath, kCli, place } from './daemon.js';
import { Lab } from './lab.js';
import { eachLine, Records, type Timed } from './records.js';
import { nowUs } from './shell.js';

const interval = 0.05;
const detectionUs = 3 * interval * 1e6;

/** `faild probes --live --json` on host1, as it is written. */
function follow(t: Test, lab: Lab): Records<Timed & SeenProbe> {
  const host = lab.topology.host(1);
  const following = ['probes', '--live', '--json', ...place(host)];
  const child = host.launch([process.execPath, kCli, ...following], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const followed = new Records<Timed & SeenProbe>();
  if (child.stdout === null) throw new Error('no output to read');
  eachLine(child.stdout, (line) => followed.push({ ...JSON.parse(line), readUs: nowUs() }));
  return followed;
}

async function tellsAll(t: Test, followed: Records<Timed & SeenProbe>): Promise<void> {
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
  await tellsAll(t, follow(t, lab));
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

  const { stdout } = await show('explain', 'host2', '--json');
  const [onA] = (JSON.parse(stdout) as Told).paths;
  const newest = onA?.probes?.at(-1);
  t.match(newest, { direction: 'sent', kind: 'inq' }, 'we go on asking');
  const heardLastThenAsked = /^ {2}probes {3}-.* <- inq .*\n(?: {11}-.*\n)* {11}-.* -> inq /m;
  t.match(await show('explain', 'host2'), { stdout: heardLastThenAsked });
});

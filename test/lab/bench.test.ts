// Aim: `faild bench PEER` between two real daemons measures both LANs, the timers and the kernel,
// disturbs no path, and leaves nothing behind, also when it is interrupted. `faild bench --cut` has
// both ends notice a cut, loses nobody's packet, and leaves nothing cut, however it ends.
import './in-arena.js';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { CutReport } from '../../lib/bench/cut-report.js';
import type { BenchReport } from '../../lib/bench/report.js';
import { kArenaDirectory } from './arena.js';
import { faild, kCli, place } from './daemon.js';
import { Lab } from './lab.js';
import { nowUs } from './shell.js';
import type { Host } from './topology.js';

const kScratchTable = 931199;
/** The engine asks no peer more often. */
const kPaceUs = 20_000;
/** A machine that is busy elsewhere must not look like a fault of the bench's: a second of silence. */
const kPatient = { interval: 0.01, failAfter: 100 };

const ours = (host: Host) => host.run('ip', 'route', 'show', 'table', 'all', 'proto', '213');

t.test('two hosts measure each other', async (t) => {
  const lab = await Lab.open(t, { daemon: kPatient });
  const here = lab.topology.host(1);
  const html = join(kArenaDirectory, 'bench.html');
  const beganUs = nowUs();
  const argv = ['bench', 'host2', '--seconds', '2', '--json', '--html', html, ...place(here)];
  const { status, stdout, stderr } = await faild(here, ...argv);
  const most = (nowUs() - beganUs) / kPaceUs + 1;
  t.equal(status, 0, stderr);

  const report = JSON.parse(stdout) as BenchReport;
  t.equal(report.schema, 'faild.bench/1');
  t.same([report.host, report.peer], ['host1', 'host2']);
  t.same(
    report.lans.map(({ lan }) => lan),
    ['A', 'B'],
  );
  for (const { lan, roundTripUs, received, inForce } of report.lans) {
    const { count = 0, min = 0 } = roundTripUs ?? {};
    t.ok(count >= 5, `${count} round trips on LAN ${lan}`);
    t.ok(count <= most, `and no flood, which were more than ${most.toFixed(0)}`);
    t.ok(min > 1, `the quickest took ${min} us`);
    t.ok(received >= 10, `${received} packets of the peer`);
    t.match(inForce, { intervalUs: 10_000, failAfter: 100 });
  }
  t.ok(report.timers.lateUs.count >= 200, `${report.timers.lateUs.count} wake-ups`);
  t.equal(report.routes?.addUs.count, 500);
  t.ok((report.routes?.removeUs.min ?? 0) > 1);
  t.match(readFileSync(html, 'utf8'), /<svg[\s\S]*LAN B[\s\S]*<\/svg>/);

  t.notMatch(await ours(here), String(kScratchTable), 'nothing is left in the kernel');
  const disturbed = ['path-down', 'lan-down', 'failover', 'route-repaired'];
  t.same(await lab.said(disturbed), [], 'nobody was disturbed');

  const nobody = await faild(here, 'bench', 'host9', ...place(here));
  t.equal(nobody.status, 2);
  t.match(nobody.stderr, /^faild: there is no peer 'host9'; there are: host2\n$/);
  const hasty = await faild(here, 'bench', 'host2', '--seconds', 'many', ...place(here));
  t.equal(hasty.status, 2);
  t.match(hasty.stderr, /--seconds: 'many'/);
});

t.test('interrupted while it changes routes: none stays', async (t) => {
  const lab = await Lab.open(t, { daemon: kPatient });
  const here = lab.topology.host(1);
  await lab.watch();
  const argv = [process.execPath, kCli, 'bench', 'host2', '--seconds', '1', ...place(here)];
  const changes = () =>
    lab.movesSoFar(kScratchTable).filter((line) => line.includes('192.0.2.')).length;
  let ended: number | null = 0;
  // It is busy with routes for half a second; a signal that comes later than that proves nothing.
  for (let attempt = 1; ended === 0 && attempt <= 5; attempt++) {
    const before = changes();
    const child = here.launch(argv, { stdio: 'ignore' });
    const end = new Promise<number | null>((resolve) => child.once('close', resolve));
    await lab.until('a route in the scratch table', async () =>
      changes() > before ? [] : ['none'],
    );
    child.kill('SIGINT');
    ended = await end;
  }
  t.equal(ended, 130);
  t.notMatch(await ours(here), String(kScratchTable));
});

/** A detection time of 0.2 s: above this machine's stalls, and time enough to end a bench in. */
const kTenMisses = { interval: 0.02, failAfter: 10, restoreAfter: 3 };
const kDetectUs = 200_000;

t.test('a LAN is cut: both ends notice, traffic returns, and nothing of it is lost', async (t) => {
  const lab = await Lab.open(t, { daemon: kTenMisses });
  const here = lab.topology.host(1);
  const html = join(kArenaDirectory, 'cut.html');
  const stream = await lab.stream(1, 2, 'a');
  await lab.flows(stream);
  const sinceUs = nowUs();
  const argv = ['bench', '--cut', 'A', '--yes', '--count', '2', '--json', '--html', html];
  const { status, stdout, stderr } = await faild(here, ...argv, ...place(here));
  t.equal(status, 0, stderr);

  const report = JSON.parse(stdout) as CutReport;
  t.match(report, { schema: 'faild.bench-cut/1', host: 'host1', lan: 'A', peers: ['host2'] });
  t.same(report.notes, []);
  const { here: own, there, returnedUs } = report;
  t.same([own.verdictUs?.count, own.movedUs?.count], [2, 4]);
  t.same([there.verdictUs?.count, returnedUs?.count], [2, 4]);
  for (const seen of [own.verdictUs, own.movedUs, there.verdictUs]) {
    t.ok((seen?.min ?? 0) > kDetectUs / 2, `noticed after ${seen?.min} us at the soonest`);
  }
  t.ok((returnedUs?.min ?? 0) > kTenMisses.interval * 1e6, 'and good packets bring it back');
  t.match(readFileSync(html, 'utf8'), /<svg[\s\S]*cut → verdict at host2[\s\S]*<\/svg>/);

  const moved = (await lab.said(['failover'], { sinceUs, host: 2 })).length;
  t.ok(moved >= 4, `host2 really moved its traffic, ${moved} times`);
  await lab.allUp();
  await lab.flows(stream);
  const { lost, received } = await stream.report(sinceUs);
  t.equal(lost, 0, `of ${received + lost} datagrams`);

  const nowhere = await faild(here, 'bench', '--cut', 'C', '--yes', ...place(here));
  t.match(nowhere, { status: 2, stderr: "faild: there is no LAN 'C'; there are: A, B\n" });
});

t.test('a bench that ends in the middle of a cut leaves nothing cut', async (t) => {
  const lab = await Lab.open(t, { daemon: kTenMisses });
  const here = lab.topology.host(1);
  const argv = [process.execPath, kCli, 'bench', '--cut', 'A', '--yes', ...place(here)];
  const endBy = async (signal: NodeJS.Signals) => {
    const child = here.launch(argv, { stdio: 'ignore' });
    const ended = new Promise((resolve) => {
      child.once('close', (status, by) => resolve(by ?? status));
    });
    const sinceUs = nowUs();
    const muted = await lab.daemon(1).saw('lan-muted', undefined, { sinceUs });
    child.kill(signal);
    const how = await ended;
    const unmuted = await lab.daemon(1).saw('lan-unmuted', undefined, { sinceUs });
    await lab.allUp();
    return { how, atMostUs: Number(muted.forUs), forUs: Number(unmuted.forUs) };
  };
  const killed = await endBy('SIGKILL');
  t.equal(killed.how, 'SIGKILL');
  t.ok(killed.forUs >= killed.atMostUs, `it healed by itself, after ${killed.forUs} us`);
  const interrupted = await endBy('SIGINT');
  t.equal(interrupted.how, 130);
  t.ok(interrupted.forUs < interrupted.atMostUs, 'interrupted, it healed at once');
});

/** Types `keys` at the question, on a terminal of its own; the exit status, and what was shown. */
async function atTerminal(
  host: Host,
  keys: string,
  onYes?: (type: (keys: string) => void) => void,
) {
  const command = [process.execPath, kCli, 'bench', '--cut', 'A', '--count', '1', ...place(host)];
  const child = host.launch(['script', '-qec', command.join(' '), '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const type = (text: string) => child.stdin?.write(text);
  let shown = '';
  child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
    const asked = shown.includes('[y/N] ');
    shown += piece;
    if (asked || !shown.includes('[y/N] ')) return;
    type(keys);
    onYes?.(type);
  });
  const status = await new Promise((resolve) => child.once('close', resolve));
  return { status, shown: shown.replaceAll('\r', '') };
}

t.test('on a terminal it asks, and only a yes cuts; each of two peers tells', async (t) => {
  const lab = await Lab.open(t, { hosts: 3, daemon: kTenMisses });
  const here = lab.topology.host(1);
  const noes: [name: string, keys: string, status: number, last: RegExp][] = [
    ['n', 'n\r', 1, /\nnothing was done\n$/],
    ['Enter', '\r', 1, /\nnothing was done\n$/],
    ['no yes', 'yesterday\r', 1, /\nnothing was done\n$/],
    ['Ctrl-D', '\x04', 1, /nothing was done\n$/],
    ['Ctrl-C', '\x03', 130, /\nfaild: interrupted\n$/],
  ];
  for (const [name, keys, status, last] of noes) {
    const seen = await atTerminal(here, keys);
    t.equal(seen.status, status, name);
    t.match(seen.shown, last, name);
  }
  const cuts = ['lan-muted', 'path-down', 'failover', 'lan-failover'];
  t.same(await lab.said(cuts), [], 'nothing was cut');

  const sinceUs = nowUs();
  const yes = await atTerminal(here, 'y\r');
  t.equal(yes.status, 0, yes.shown);
  t.match(
    yes.shown,
    /will be cut 2 times, for at most [\s\S]*host1 and host2, host3 take LAN A for/,
  );
  t.match(yes.shown, /\ncut -> verdict at host2 +1 [\s\S]*\ncut -> verdict at host3 +1 /);
  t.equal((await lab.said(['lan-muted'], { sinceUs, host: 1 })).length, 2);

  const againUs = nowUs();
  const broken = await atTerminal(here, 'y\r', async (type) => {
    await lab.daemon(1).saw('lan-muted', undefined, { sinceUs: againUs });
    type('\x03');
  });
  t.equal(broken.status, 130);
  await lab.daemon(1).saw('lan-unmuted', undefined, { sinceUs: againUs });
  await lab.allUp();
});

// Aim: what the commands say of a real daemon is true: peers, paths, events, metrics; and `explain`
// says beforehand what happens when a LAN dies, and afterwards what the kernel does.
import './in-arena.js';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { EventsAnswer } from '../../lib/control/routes.js';
import type { Told } from '../../lib/text/explain.js';
import { breaches } from '../schemas.js';
import { kArenaDirectory } from './arena.js';
import { curl, faild, kCli, place, scrape } from './daemon.js';
import { Lab } from './lab.js';
import { eachLine, Records, type Timed } from './records.js';
import { nowUs, type Outcome, outcome } from './shell.js';

/** What a command answers, which is as its published schema says. */
async function ask<T>(lab: Lab, ...argv: string[]): Promise<{ exit: number; answer: T }> {
  const host = lab.topology.host(1);
  const { status, stdout, stderr } = await faild(host, ...argv, '--json', ...place(host));
  if (stdout === '') throw new Error(`faild ${argv.join(' ')}: ${stderr}`);
  const answer = JSON.parse(stdout) as { schema: string };
  const { kernel: _kernel, kernelWhy: _why, ...served } = answer as Partial<Told>;
  t.same(breaches(served as typeof answer), [], argv.join(' '));
  return { exit: status, answer: answer as T };
}

async function show(lab: Lab, ...argv: string[]): Promise<Outcome> {
  const host = lab.topology.host(1);
  return await faild(host, ...argv, ...place(host));
}

const kernelOf = ({ kernel }: Told, address: string) =>
  kernel?.find((look) => look.address === address);

/** `faild events -f --json` on host1, as it is written. */
function follow(t: Test, lab: Lab): Records<Timed & { kind: string }> {
  const host = lab.topology.host(1);
  const following = ['events', '-f', '--since', '1h', '--json', ...place(host)];
  const child = host.launch([process.execPath, kCli, ...following], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const followed = new Records<Timed & { kind: string }>();
  if (child.stdout === null) throw new Error('no output to read');
  eachLine(child.stdout, (line) => followed.push({ ...JSON.parse(line), readUs: nowUs() }));
  return followed;
}

async function whileAllIsWell(t: Test, lab: Lab): Promise<void> {
  t.match(await show(lab, 'peers'), { status: 0, stdout: /^host2 {2}up {2}2 of 2 paths up/m });
  const { exit, answer } = await ask<Told>(lab, 'explain', 'host2');
  t.equal(exit, 0);
  const [onA, onB, diedA, diedB] = [...answer.paths, ...answer.ifDied];
  t.match(answer.engine, { alive: true });
  t.match(onA, { lan: { name: 'A' }, takes: 'A', because: 'own' });
  t.match(onB, { lan: { name: 'B' }, takes: 'B', because: 'own' });
  t.match(diedA, { lan: 'A', ways: [{ takes: 'B' }, { takes: 'B' }] }, 'foretold');
  t.match(diedB, { lan: 'B', ways: [{ takes: 'A' }, { takes: 'A' }] });
  t.match(kernelOf(answer, '10.1.0.2'), {
    takes: { device: 'lana', gateway: null },
    entries: [{ table: '931101', device: 'lanb', gateway: '10.2.0.2' }],
  });
}

async function whileLanAIsDead(t: Test, lab: Lab): Promise<void> {
  const { exit, answer } = await ask<Told>(lab, 'explain', 'host2');
  t.equal(exit, 1, 'a path is down');
  t.match(answer.paths[0], { takes: 'B', because: 'down', path: { state: 'down' } });
  t.match(kernelOf(answer, '10.1.0.2'), { takes: { device: 'lanb', gateway: '10.2.0.2' } });
  t.match(kernelOf(answer, 'fd00:1::2'), { takes: { device: 'lanb' } });
  t.match(answer.ifDied[1], { lan: 'B', ways: [{ takes: null }, { takes: null }] });
  t.match(await show(lab, 'explain', 'host2'), {
    status: 1,
    stdout: /If LAN B died now: traffic of LAN A would be ISOLATED, traffic of LAN B would be ISO/,
  });
  t.match(await show(lab, 'paths', 'host2'), {
    status: 1,
    stdout: /^host2 {2}A {2}10\.1\.0\.2 {2}down .*via B.* 1 failover$/m,
  });
  t.match(await show(lab, 'paths', 'host9'), { status: 2, stderr: /there is no peer 'host9'/ });
  t.match(await show(lab, 'peers'), { status: 0, stdout: /^host2 {2}partly {2}1 of 2 paths up/m });
}

/** host2 was told to serve its metrics on LAN B; host1 was not, and opens no port at all. */
async function servesMetrics(t: Test, lab: Lab): Promise<void> {
  const [host1, host2] = [lab.topology.host(1), lab.topology.host(2)];
  t.match(await curl(host1, `http://${kMetricsOfHost2}/metrics`), /^faild_peers 1$/m);
  t.match(await host2.run('ss', '-Hltn'), kMetricsOfHost2);
  t.equal(await host1.run('ss', '-Hltn'), '', 'not unless told');
}

/** What a bug report would show of this outage. */
async function reports(t: Test, lab: Lab): Promise<void> {
  const host = lab.topology.host(1);
  const file = join(kArenaDirectory, 'report.tar.gz');
  t.match(await faild(host, 'report', '--output', file, ...place(host)), { status: 0 });
  const { stdout: names } = await outcome(['tar', '-tzf', file]);
  t.match(names, /^report\/explain\/\w{16}\.json$/m, 'why host2 is reached by B');
  const { stdout: routes } = await outcome(['tar', '-xzOf', file, 'report/kernel/routes4.txt']);
  t.match(routes, /\b10\.1\.0\.2 .*table 931100 /, 'and the route that carries its traffic');
}

const kMetricsOfHost2 = '10.2.0.2:9312';

t.test('an outage, as the commands tell it', async (t) => {
  const daemon = { interval: 0.1, restoreAfter: 3, more: ['--metrics-per-peer'] };
  const special = { 2: { more: ['--metrics-listen', kMetricsOfHost2] } };
  const lab = await Lab.open(t, { daemon, special });
  await whileAllIsWell(t, lab);
  const followed = follow(t, lab);
  await followed.waitFor(({ kind }) => kind === 'peer-found', 'what was before', 10_000);
  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', 'b');
  await followed.waitFor(({ kind }) => kind === 'failover', 'what comes', 10_000);
  await whileLanAIsDead(t, lab);

  const { answer } = await ask<EventsAnswer>(lab, 'events');
  const kinds = answer.events.map(({ kind }) => String(kind));
  const told = followed.between(0).map(({ kind }) => kind);
  t.equal(answer.complete, true);
  for (const kind of ['peer-found', 'path-up', 'failover']) t.ok(kinds.includes(kind), kind);
  const both = Math.min(kinds.length, told.length);
  t.same(told.slice(0, both), kinds.slice(0, both), 'the same in the same order, nothing twice');
  t.same((await ask<EventsAnswer>(lab, 'events', '--since', '1us')).answer.events, []);
  t.match(await show(lab, 'events'), {
    status: 0,
    stdout: /Z {2}failover: host2 \(10\.1\.0\.2\) /,
  });

  const metrics = await scrape(lab.topology.host(1));
  t.match(metrics, /^faild_failovers_total\{scope="path",reason="\S+"\} [1-9]/m);
  t.match(metrics, /^faild_detection_seconds_count [1-9]/m);
  t.match(metrics, /^faild_timer_lateness_seconds_count [1-9]/m);
  t.match(metrics, /^faild_netlink_round_trip_seconds_count [1-9]/m);
  t.match(metrics, /^faild_paths\{lan="A",state="down"\} 1$/m);
  t.match(metrics, /^faild_path_moved\{peer="host2",peer_id="\w+",lan="A"\} 1$/m);
  await servesMetrics(t, lab);
  await reports(t, lab);
});

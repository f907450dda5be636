// Aim: a reload changes what it says and nothing else. With all well and with traffic failed over,
// no path changes its state and no route moves; a policy that asks for a move gets it; a bad file
// changes nothing, whether by `faild reload` or by SIGHUP, and neither does an embedder's bad plan.
import './in-arena.js';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, getPriority } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Faild, type Plan, type PolicyInput } from '../../lib/index.js';
import { kArenaDirectory } from './arena.js';
import { faild, type LogLine, place, scrape } from './daemon.js';
import { Lab } from './lab.js';
import { netnsPath, nowUs, type Outcome } from './shell.js';

/** 150 ms to a verdict: what must not happen shall not happen by a busy machine's stalls either. */
const daemon = { interval: 0.05 };

/** Some detection times: long enough for a verdict or a move that should not come. */
const kLongMs = 500;

const verdicts = ['path-up', 'path-down', 'path-stopped', 'lan-down', 'lan-up'];
const moves = ['failover', 'switchback', 'lan-failover', 'lan-switchback'];

let files = 0;

/** Two hosts; the first has a configuration file of its own, the second perhaps another pace. */
async function openLab(t: Test, text: string, interval = daemon.interval) {
  const file = join(kArenaDirectory, `faild-${++files}.yaml`);
  const write = (changed: string) => writeFileSync(file, changed);
  write(text);
  const lab = await Lab.open(t, {
    daemon,
    special: { 1: { more: ['--config', file] }, 2: { interval } },
  });
  const host = lab.topology.host(1);
  const reload = (): Promise<Outcome> => faild(host, 'reload', ...place(host));
  return { lab, file, write, reload };
}

async function planOf(lab: Lab): Promise<object> {
  const { status } = await lab.daemon(1).status();
  return (status as unknown as { plan: object }).plan;
}

/** By the kernels' own reports and by both daemons' logs. */
async function nothingHappens(lab: Lab, sinceUs: number): Promise<string[]> {
  await new Promise((resolve) => setTimeout(resolve, kLongMs));
  const said = await lab.said([...verdicts, ...moves], { sinceUs });
  return said.map(({ msg }) => String(msg));
}

const slowPeer =
  'interval 50 ms is below that of peers (host2 100 ms): their deaths are noticed at their pace, ' +
  'not at ours; give every host the same interval';

t.test('all is well: plans change, bad files change nothing, nothing moves', async (t) => {
  const { lab, file, write, reload } = await openLab(t, 'hold-time: 1s\n', 0.1);
  t.match(await planOf(lab), { switchback: 'auto', holdUs: 1e6 });
  const check = await faild(lab.topology.host(1), 'check', '--config', file);
  t.match(check, { status: 0, stdout: /^ {2}hold-time +1s +line 1$/m });
  t.match(check.stdout, /^ {2}LAN A: lana 10\.1\.0\.1\/24 .*\n {2}LAN B: lanb 10\.2\.0\.1\/24/m);

  const ofOnePeer = /^faild_path_up\{peer=/m;
  t.notMatch(await scrape(lab.topology.host(1)), ofOnePeer);

  await lab.watch();
  const sinceUs = nowUs();
  const metrics = 'metrics-per-peer: on\n';
  write(`hold-time: 5s\nswitchback: sticky\nfail-after: 9\nmax-peers: 9\n${metrics}`);
  const good = await reload();
  t.equal(good.status, 0);
  t.same(good.stdout.split('\n'), [
    'fail-after: 3 -> 9 (applied)',
    'switchback: auto -> sticky (applied)',
    'hold-time: 1s -> 5s (applied)',
    'metrics-per-peer: off -> on (applied)',
    'max-peers: 4096 -> 9 (needs a restart)',
    `warning: ${slowPeer}`,
    '',
  ]);
  t.match(await planOf(lab), { switchback: 'sticky', holdUs: 5e6 });
  t.match((await lab.daemon(1).status()).status, { settings: { failAfter: 9 } });
  t.match(await scrape(lab.topology.host(1)), ofOnePeer);

  // From here on, a bad file.
  write('hold-time: 5\nswitchbak: sticky\n');
  const bad = await reload();
  t.equal(bad.status, 2);
  const faults = [
    `${file}:1:12: hold-time: 5 is not accepted; give a duration from 0s to 720h, such as 30s`,
    `${file}:2:1: unknown key 'switchbak'; did you mean 'switchback'?`,
  ];
  t.same(bad.stderr.trimEnd().split('\n'), faults);
  const hangUpUs = nowUs();
  lab.daemon(1).signal('SIGHUP');
  const last = `not reloaded: ${faults[1]}`;
  await lab.daemon(1).log.waitFor(({ msg }) => msg === last, 'the last fault', 5000, hangUpUs);
  t.match(await planOf(lab), { switchback: 'sticky', holdUs: 5e6 });

  write(`hold-time: 2s\nswitchback: sticky\nfail-after: 9\n${metrics}`);
  lab.daemon(1).signal('SIGHUP');
  const done = /^reloaded .*: hold-time: 5s -> 2s \(applied\)$/;
  await lab.daemon(1).log.waitFor(({ msg }) => done.test(msg ?? ''), 'the reload', 5000, hangUpUs);
  t.match(await planOf(lab), { holdUs: 2e6 }, 'SIGHUP applies a good one');
  await lab.daemon(1).log.waitFor(({ msg }) => msg === slowPeer, 'the warning', 5000);
  t.same(await nothingHappens(lab, sinceUs), []);
  t.same(await lab.moves(), [], 'no kernel has moved any traffic');
  await lab.stopsClean(t);
});

t.test('traffic failed over: it moves when the policy asks for it, not before', async (t) => {
  const { lab, write, reload } = await openLab(t, 'hold-time: 0s\n');
  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', 'b');
  const stream = await lab.stream(1, 2, 'a');
  await lab.flows(stream);
  await lab.watch();
  const sinceUs = nowUs();
  write('switchback: sticky\n');
  t.match(await reload(), { status: 0, stdout: /switchback: auto -> sticky \(applied\)/ });
  t.same(await nothingHappens(lab, sinceUs), []);
  t.same(await lab.moves(931100), [], 'the failover stays as it was');

  await lab.cuts.heal({ lan: 'a' });
  await lab.allUp();
  await lab.goes('a', (from) => (from === 1 ? 'b' : 'a'));
  await nothingHappens(lab, sinceUs);
  t.same(await lab.strays('a', (from) => (from === 1 ? 'b' : 'a')), [], 'host1 stays: sticky');
  write('switchback: auto\n');
  t.match(await reload(), { status: 0 });
  await lab.goes('a', 'a');
  t.pass('host1 returns: auto');
  await lab.flows(stream);
  t.equal((await stream.report(sinceUs)).lost, 0, 'the stream has no gap, over both reloads');
  await lab.stopsClean(t);
});

/** The LANs in a file, A with its own timing. */
const timed = (timing: string) =>
  `lans: [{name: A, interface: lana${timing}}, {name: B, interface: lanb}]\n`;

t.test(
  "LAN A's timing changes on both hosts: nothing moves, and a cut is noticed in it",
  async (t) => {
    const files = [1, 2].map((host) => join(kArenaDirectory, `timed-${host}.yaml`));
    for (const file of files) writeFileSync(file, timed(''));
    const [one = '', two = ''] = files;
    const special = { 1: { more: ['--config', one] }, 2: { more: ['--config', two] } };
    const lab = await Lab.open(t, { daemon, special });
    const stream = await lab.stream(1, 2, 'a');
    await lab.watch();
    const sinceUs = nowUs();
    const lanOf = async (host: number) => (await lab.daemon(host).status()).status.lans[0];
    /** On one host after the other, and each has the other's word for it afterwards. */
    const change = async (timing: string, intervalUs: number) => {
      for (const host of [1, 2]) {
        writeFileSync(files[host - 1] ?? '', timed(timing));
        const there = lab.topology.host(host);
        const said = await faild(there, 'reload', ...place(there));
        t.match(said, { status: 0, stdout: /^lans: .* \(applied\)$/m });
        await nothingHappens(lab, sinceUs);
      }
      await lab.until("host1's new pace is known to host2", async () => {
        const paceUs = (await lanOf(2))?.paceUs;
        return paceUs === intervalUs ? [] : [`${paceUs} us`];
      });
      t.match(await lanOf(1), { intervalUs, paceUs: intervalUs });
      for (const host of [1, 2]) {
        const { peers } = (await lab.daemon(host).status()).status;
        t.match(peers, [{ paths: [{ intervalUs, state: 'up' }, { intervalUs: 50_000 }] }]);
      }
    };
    await change(', interval: 400ms', 400_000);
    await change(', interval: 20ms, fail-after: 4', 20_000);
    t.same(await nothingHappens(lab, sinceUs), [], 'no verdict and no move, at either end');
    t.same(await lab.moves(), [], 'no kernel has moved any traffic');
    await lab.flows(stream);
    t.equal((await stream.report(sinceUs)).lost, 0);

    const cutUs = nowUs();
    await lab.cuts.cut({ lan: 'a' });
    await lab.goes('a', 'b');
    const detects = await lab.said(['failover', 'lan-failover'], { sinceUs: cutUs });
    t.ok(detects.length >= 2, 'both have moved');
    for (const { detectUs = 0 } of detects) {
      // 1.2 s by the timing before; the lower end is the other host's word, a packet earlier.
      t.ok(detectUs > 40_000 && detectUs < 600_000, `noticed after ${detectUs} us`);
    }
    await lab.cuts.heal({ lan: 'a' });
    await lab.allUp();
    await lab.goes('a', 'a');
    await lab.stopsClean(t);
  },
);

t.test(
  "faild check on this host; an embedder's own policy, whose bad plan changes nothing",
  async (t) => {
    const lab = await Lab.open(t, { daemon, start: [2], rpFilter: 1 });
    const host = lab.topology.host(1);
    const check = await faild(host, '--transport', 'udp', 'check', '--config', '/dev/null');
    t.match(check.stdout, /^warning: strict rp_filter on lana, lanb with the udp transport: /m);

    const asked: PolicyInput[] = [];
    const plan: Plan = {
      preference: [1, 0],
      switchback: 'manual',
      holdUs: 7,
      flapWindowUs: 0,
      grayLoss: 0,
      grayRoundTripUs: 0,
      rtoMinUs: 0,
      source: 'own',
      allowed: [],
    };
    let say: () => Plan = () => plan;
    const options = {
      requestor: true,
      interval: 0.01,
      networkNamespace: netnsPath(host.netns),
      stateDir: join(kArenaDirectory, 'embedder'),
    };
    const policy = (input: PolicyInput): Plan => {
      asked.push(input);
      return say();
    };
    const refused = { code: 'EBADPLAN', message: /^plan refused, nothing has changed: preference/ };
    say = () => ({ ...plan, preference: [0] });
    await t.rejects(
      Faild.start({ ...options, policy }),
      refused,
      'it does not start with a bad one',
    );
    say = () => plan;
    const running = await Faild.start({ ...options, policy });
    t.teardown(() => running.stop());
    // Before anything is awaited: a reader is told what comes after it, the path may be up soon.
    const events = running.events();
    const inForce = { preference: ['B', 'A'], switchback: 'manual', holdUs: 7 };
    t.match((await running.status()).plan, inForce);
    for await (const { kind } of events) if (kind === 'path-up') break;
    say = () => ({ ...plan, preference: [0, 0] });
    await t.rejects(running.replan(), refused);
    t.match((await running.status()).plan, inForce);
    t.match(asked.at(-1), { lans: [{ name: 'A' }, { name: 'B' }], peers: [{ name: 'host2' }] });
    say = () => ({ ...plan, switchback: 'sticky' });
    await running.replan();
    t.match((await running.status()).plan, { ...inForce, switchback: 'sticky' });
  },
);

const hookSeen = join(kArenaDirectory, 'hooked.json');

/** Each says who it is, and then takes a whole CPU, as long as it may. */
const spinners = cpus().map((_, i) => {
  const seen = join(kArenaDirectory, `spins-${i}`);
  return { seen, run: `["/bin/sh", "-c", "echo $$ > ${seen}; while :; do :; done"]` };
});

function hooksFile(): string {
  const tells = `["/bin/sh", "-c", "cat > ${hookSeen}.new && mv ${hookSeen}.new ${hookSeen}"]`;
  const runs = [tells, ...spinners.map(({ run }) => run)];
  const on = '[failover, lan-failover]';
  return `hooks:\n${runs.map((run) => `  - {run: ${run}, on: ${on}, timeout: 240s}\n`).join('')}`;
}

t.test('hooks that a reload has brought run on a failover, and delay none', async (t) => {
  const { lab, write, reload } = await openLab(t, '{}\n');
  write(hooksFile());
  t.match(
    (await reload()).stdout,
    /^hooks: none -> failover,lan-failover=\/bin\/sh .*\(applied\)$/m,
  );
  const sinceUs = nowUs();
  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', 'b');
  const files = [hookSeen, ...spinners.map(({ seen }) => seen)];
  const isThere = (file: string) => existsSync(file) && readFileSync(file, 'utf8') !== '';
  await lab.until('the hooks have run', async () => files.filter((file) => !isThere(file)));
  const { kind, monotonicUs } = JSON.parse(readFileSync(hookSeen, 'utf8'));
  t.match(kind, /^(lan-)?failover$/);
  t.ok(monotonicUs > sinceUs, 'with the event of this cut');
  await lab.cuts.heal({ lan: 'a' });
  await lab.allUp();
  await lab.goes('a', 'a');

  const cutUs = nowUs();
  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', 'b');
  const isMove = ({ kind }: LogLine) => /^(lan-)?failover$/.test(kind ?? '');
  const { detectUs = 0 } = await lab.daemon(1).log.waitFor(isMove, 'its move', 5000, cutUs);
  t.ok(detectUs > 0 && detectUs < 600_000, `${detectUs} us, with a hook that spins on every CPU`);
  for (const { seen } of spinners) {
    const pid = Number(readFileSync(seen, 'utf8'));
    t.equal(getPriority(pid), 19, 'a hook, still alive, has what nobody else wants');
  }
  await lab.cuts.heal({ lan: 'a' });
  await lab.goes('a', 'a');
  await lab.stopsClean(t);
});

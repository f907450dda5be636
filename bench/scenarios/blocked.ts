// The daemon's own JavaScript is blocked for 2 s at a time: nothing may be judged down
// meanwhile, and a cut is noticed as fast as ever. The hosts run a program of their own that
// embeds faild and computes without a pause.
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { kArenaDirectory } from '../../test/lab/arena.js';
import { inside } from '../../test/lab/shell.js';
import { Child } from '../child.js';
import { type CutResult, cutSeries } from '../cuts.js';
import { BenchLab, kStallPeriodUs, kStreamPeriodUs } from '../lab.js';
import type { Scale, ScenarioResult } from '../scenario.js';
import { cutFigures, cutNotes, kMillisecond } from './failover.js';
import { countMoves, type Quiet, quietNotes } from './quiet.js';

const kBlockMs = 2000;
const kTiming = {
  interval: kMillisecond.intervalUs / 1e6,
  failAfter: kMillisecond.failAfter,
  restoreAfter: kMillisecond.restoreAfter,
};
const kProgram = fileURLToPath(new URL('../blocked-host.js', import.meta.url));

export async function blocked(scale: Scale): Promise<ScenarioResult> {
  const lab = await BenchLab.create();
  const hosts: Child[] = [];
  try {
    await lab.watchPair();
    for (const host of lab.topology.hosts) hosts.push(await embed(host, kTiming));
    await lab.agent.watchStalls(kStallPeriodUs);
    await lab.agent.pace(kStreamPeriodUs);
    await lab.calm(2000);
    const quiet = await stayQuiet(lab, hosts, scale.of(30, 1, 1));
    const cuts = await cutWhileBlocked(lab, hosts, scale.of(20, 2, 1));
    return describe(quiet, cuts);
  } finally {
    for (const host of hosts) await host.stop();
    await lab.destroy();
  }
}

/** A program that embeds faild, on a host of the lab. */
export async function embed(
  host: { netns: string; name: string },
  timing: { interval: number; failAfter: number; restoreAfter: number },
): Promise<Child> {
  const options = {
    requestor: true,
    ...timing,
    lan: ['A=lana', 'B=lanb'],
    hostName: host.name,
    stateDir: `${kArenaDirectory}/${host.netns}.embedded`,
  };
  const argv = inside(host.netns, [process.execPath, kProgram, JSON.stringify(options)]);
  return (await Child.start(`embedding program on ${host.name}`, argv)).child;
}

const block = (hosts: Child[]) => Promise.all(hosts.map((host) => host.ask('block', kBlockMs)));
const unblocked = (hosts: Child[]) => Promise.all(hosts.map((host) => host.ask('wait')));

async function stayQuiet(lab: BenchLab, hosts: Child[], times: number): Promise<Quiet> {
  await lab.agent.report();
  const started = performance.now();
  for (let i = 0; i < times; i++) {
    await block(hosts);
    await unblocked(hosts);
  }
  return countMoves(await lab.agent.report(), Math.round((performance.now() - started) / 1000));
}

/** One cut a block, in its middle. */
function cutWhileBlocked(lab: BenchLab, hosts: Child[], count: number): Promise<CutResult[]> {
  return cutSeries(lab, {
    count,
    target: { lan: 'a' },
    intervalUs: kMillisecond.intervalUs,
    holdUs: 200_000,
    settleUs: 200_000,
    before: async () => {
      await unblocked(hosts);
      await block(hosts);
      await sleep(300);
    },
  });
}

function describe(quiet: Quiet, cuts: CutResult[]): ScenarioResult {
  return {
    name: 'blocked',
    title: 'JavaScript blocked for 2 s at a time',
    method: [
      'Both hosts run a program that embeds faild at `-t 0.001 -f 3` and computes without a pause',
      'for 2 s at a time, so both cores are busy too. First nothing is cut; then LAN A is cut and',
      'healed once in each block.',
    ],
    figures: cutFigures(cuts, kMillisecond.bars),
    notes: [...quietNotes(quiet), ...cutNotes(cuts)],
    raw: { quiet, cuts },
  };
}

// A thousand peers on a LAN that dies, often: from the daemon's verdict until all their traffic
// takes the other LAN. scale-failures.ts has the other numbers of peers, and the other failures.
import type { Scale, ScenarioResult } from '../scenario.js';
import { random, summarize } from '../statistics.js';
import { failLan, type LanFailure, watch } from './scale-cuts.js';
import { CrowdLab } from './scale-lab.js';

const kPeers = 1000;
const kIntervalUs = 100_000;
const kBarMs = 0.3;

export function thousand(scale: Scale): Promise<ScenarioResult> {
  return CrowdLab.with({ hosts: kPeers, intervalUs: kIntervalUs }, async (crowd) => {
    await watch(crowd);
    await crowd.meet();
    await crowd.lab.calm(3000);
    const next = random(1);
    const moves: LanFailure[] = [];
    for (let i = 0; i < scale.of(50, 2, 1); i++) moves.push(await failLan(crowd, next));
    return describe(moves, await crowd.crowd.report());
  });
}

function describe(moves: LanFailure[], traffic: object): ScenarioResult {
  const ms = (values: number[]) => summarize(values.map((value) => value / 1000));
  return {
    name: 'thousand-peers',
    title: '1,000 peers on a LAN that dies',
    method: [
      `One daemon at \`-t ${kIntervalUs / 1e6} -f 3\`, ${kPeers} simulated peers at the`,
      'same interval on two LANs. LAN A is cut. The verdict is the daemon’s own instant; the move is',
      'the kernel’s, seen by the observer for the last of five peers.',
    ],
    figures: [
      { name: 'cut -> verdict', unit: 'ms', summary: ms(moves.map((m) => m.cutToVerdictUs)) },
      {
        name: 'verdict -> all traffic moved',
        unit: 'ms',
        summary: ms(moves.map((m) => m.verdictToMovedUs)),
        bars: [{ figure: 'p99', limit: kBarMs }],
      },
      { name: 'the same as the daemon says', unit: 'ms', summary: ms(moves.map((m) => m.applyUs)) },
    ],
    notes: [`Paths moved by one rule: ${Math.min(...moves.map((m) => m.paths))} at least.`],
    raw: { moves, traffic },
  };
}

// A crowd of which a part is silent, hears one way only, restarts or lies; a daemon that gets less
// time than it needs; and one whose tables have no room for all. None of it may cost an honest peer
// its path.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Manner } from '../crowd.js';
import type { Figure, Scale, ScenarioResult } from '../scenario.js';
import { summarize } from '../statistics.js';
import { CrowdLab, kLanCount } from './scale-lab.js';

const kOrder = { hosts: 1000, intervalUs: 100_000 };
/** How many of the first hosts behave so on LAN A; all others are honest. */
const kParts: [Manner, number][] = [
  ['silent', 100],
  ['deaf', 50],
  ['aloof', 50],
  ['restarting', 50],
  ['usurper', 50],
  ['stray', 50],
  ['replayer', 50],
  ['babbler', 50],
];
const kOdd = kParts.reduce((sum, [, count]) => sum + count, 0);

// 100,000 packets a second, for which the receive rings have room for 40 ms.
const kFast = { hosts: 1000, intervalUs: 20_000, failAfter: 5 };
const kStopMs = 200;
const kRunMs = 300;

const kRoom = 900;
const kCrowded = { hosts: 1000, intervalUs: 100_000, maxPeers: kRoom };

interface Hostile {
  honestDown: number;
  honestUp: number;
  engineCpuPercent: number;
  cpuPercent: number;
  states: Record<string, Record<string, number>>;
  counters: Record<string, number>;
}
interface Starved {
  falseVerdicts: number;
  offered: number;
  received: number;
  dropped: number;
}
interface Crowded {
  falseVerdicts: number;
  upAtTheEnd: number;
  refused: number;
}

export async function scaleHostile(scale: Scale): Promise<ScenarioResult> {
  const hostile = await CrowdLab.with(kOrder, (crowd) => amongLiars(crowd, scale.of(15, 2)));
  const starved = await CrowdLab.with(kFast, (crowd) => starve(crowd, scale.of(10, 2)));
  const crowded = await CrowdLab.with(kCrowded, (crowd) => overfill(crowd, scale.of(10, 1)));
  return describe(hostile, starved, crowded);
}

async function amongLiars(crowd: CrowdLab, seconds: number): Promise<Hostile> {
  let first = 0;
  for (const [manner, count] of kParts) {
    await crowd.crowd.play(0, first, count, manner);
    first += count;
  }
  // Of a stray nobody believes where it stands; the deaf and the aloof are never proven.
  await crowd.meet(kLanCount * kOrder.hosts - kOdd);
  const before = crowd.usage();
  await sleep(seconds * 1000);
  const after = crowd.usage();
  const status = await crowd.status();
  const honest = (name: string) => Number(name.replace('crowd-', '')) >= kOdd;
  const paths = status.peers.filter(({ name }) => honest(name)).flatMap((peer) => peer.paths);
  const downs = crowd.events('path-down').filter(({ path }) => honest(path?.peer.name ?? ''));
  const share = (us: number) => (us / (after.atUs - before.atUs)) * 100;
  return {
    honestDown: downs.length + crowd.events('lan-down').length,
    honestUp: paths.filter(({ state }) => state === 'up').length,
    engineCpuPercent: share(after.engineCpuUs - before.engineCpuUs),
    cpuPercent: share(after.processCpuUs - before.processCpuUs),
    states: countStates(status.peers),
    counters: status.counters,
  };
}

/** On LAN A, by manner. */
function countStates(peers: { name: string; paths: { lan: string; state: string }[] }[]) {
  const ends = kParts.map(([manner], i) => ({
    manner,
    end: kParts.slice(0, i + 1).reduce((sum, [, count]) => sum + count, 0),
  }));
  const counts: Record<string, Record<string, number>> = {};
  for (const { name, paths } of peers) {
    const number = Number(name.replace('crowd-', ''));
    const manner = ends.find(({ end }) => number < end)?.manner ?? 'honest';
    const state = paths.find(({ lan }) => lan === 'A')?.state ?? 'none';
    const row = counts[manner] ?? {};
    counts[manner] = { ...row, [state]: (row[state] ?? 0) + 1 };
  }
  return counts;
}

/** The daemon is stopped for two fifths of the time: more comes than its rings hold meanwhile. */
async function starve(crowd: CrowdLab, rounds: number): Promise<Starved> {
  await crowd.meet();
  await sleep(500);
  const before = (await crowd.status()).counters;
  for (let i = 0; i < rounds; i++) {
    crowd.daemon.signal('SIGSTOP');
    await sleep(kStopMs);
    crowd.daemon.signal('SIGCONT');
    await sleep(kRunMs);
  }
  const verdicts = (await crowd.status()).counters;
  // Both sides' counts are of the same packets only when none is under way.
  for (let lan = 0; lan < kLanCount; lan++) {
    await crowd.crowd.play(lan, 0, kFast.hosts, 'silent');
  }
  await sleep(kRunMs);
  const after = (await crowd.status()).counters;
  const { lans } = await crowd.crowd.report();
  return {
    falseVerdicts: (verdicts.verdictsDown ?? 0) - (before.verdictsDown ?? 0),
    offered: lans.reduce((sum, lan) => sum + lan.sent, 0),
    received: after.packetsReceived ?? 0,
    dropped: after.receiveDrops ?? 0,
  };
}

/** More hosts than the tables have room for: the first ones keep their places. */
async function overfill(crowd: CrowdLab, seconds: number): Promise<Crowded> {
  await crowd.meet(kLanCount * kRoom);
  const before = await crowd.status();
  await sleep(seconds * 1000);
  const { counters, drops, peers } = await crowd.status();
  const paths = peers.flatMap((peer) => peer.paths);
  return {
    falseVerdicts: (counters.verdictsDown ?? 0) - (before.counters.verdictsDown ?? 0),
    upAtTheEnd: paths.filter(({ state }) => state === 'up').length,
    refused: (drops['table-full'] ?? 0) - (before.drops['table-full'] ?? 0),
  };
}

function describe(hostile: Hostile, starved: Starved, crowded: Crowded): ScenarioResult {
  const row = (name: string, unit: Figure['unit'], value: number, limit?: number): Figure => ({
    name,
    unit,
    summary: summarize([value]),
    bars: limit === undefined ? [] : [{ figure: 'max', limit }],
  });
  const honestPaths = kLanCount * (kOrder.hosts - kOdd);
  return {
    name: 'scale-hostile',
    title: 'Beyond what is bearable: liars, too little time, too many hosts',
    method: [
      `${kOrder.hosts} peers at ${kOrder.intervalUs / 1000} ms of which ${kOdd} are not honest on LAN`,
      'A: silent, deaf (list us as missing), aloof (never answer), restarting every 2 s, usurpers',
      '(claim a neighbour’s address under ever new versions), strays (claim another prefix), replayers,',
      'babblers (garbage). Then 1,000 honest peers at 20 ms, `-f 5`, and a daemon that is stopped for',
      `${kStopMs} ms of every ${kStopMs + kRunMs}: its rings overflow, and every packet that they`,
      'refuse must be counted. Last, 1,000 honest peers at 100 ms, and a daemon with `--max-peers',
      `${kRoom}\`: whoever finds no place is refused and counted.`,
    ],
    figures: [
      row('verdicts on honest peers or on the LAN', 'count', hostile.honestDown, 0),
      row('honest paths that are not up', 'count', honestPaths - hostile.honestUp, 0),
      row('CPU of the engine’s thread among them', '%', hostile.engineCpuPercent),
      row('CPU of the whole daemon among them', '%', hostile.cpuPercent),
      row('starved: false verdicts', 'count', starved.falseVerdicts, 0),
      row('starved: packets dropped and counted', 'count', starved.dropped),
      row('starved: packets neither read nor counted', 'count', missing(starved), 0),
      row('full tables: false verdicts', 'count', crowded.falseVerdicts, 0),
      row('full tables: paths of those inside that are not up', 'count', notUp(crowded), 0),
      row('full tables: packets of others, refused and counted', 'count', crowded.refused),
    ],
    notes: [
      `States on LAN A by manner: ${JSON.stringify(hostile.states)}.`,
      `Starved: of ${starved.offered} packets ${starved.received} were read.`,
    ],
    raw: { hostile, starved, crowded },
  };
}

const notUp = ({ upAtTheEnd }: Crowded): number => kLanCount * kRoom - upAtTheEnd;

const missing = ({ offered, received, dropped }: Starved): number =>
  Math.abs(offered - received - dropped);

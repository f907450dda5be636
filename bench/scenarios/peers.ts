// faild and its neighbours in one run: the same cuts, seen by the same observer, in turns. Each
// contender makes a few cuts, then the next one does, over several rounds, so that what the machine
// does in the meantime is spread over all of them. Then they sit through quiet minutes together.
//
// bench/peers/ has the contenders and their configurations, with the reasons why these are fair.

import { outcome } from '../../test/lab/shell.js';
import type { CutResult } from '../cuts.js';
import type { Contender } from '../peers/contender.js';
import { contenders } from '../peers/index.js';
import { type Minute, quietMinute } from '../peers/minute.js';
import { Turn } from '../peers/turn.js';
import type { Figure, Scale, ScenarioResult } from '../scenario.js';
import { summarize } from '../statistics.js';
import type { Quiet } from './quiet.js';

const kRounds = 2;
/** Contenders that share a quiet minute: few enough that the machine stays nearly idle. */
const kTogether = 8;

/** What one contender did, with every single measurement; the report draws its curves from it. */
export interface PeerResult {
  name: string;
  peer: string;
  setting: string;
  version: string;
  /** Of its packets. */
  intervalMs: number;
  /** Both ends, all cuts that ended in a move. */
  cutToMovedMs: number[];
  streamGapMs: number[];
  healToReturnedMs: number[];
  cuts: CutResult[];
  lost: string[];
  minute: Minute | null;
}

export interface PeersRaw {
  peers: PeerResult[];
  leftOut: string[];
}

interface Entry {
  contender: Contender;
  version: string;
  cuts: CutResult[];
  /** Why it did not play a turn or a minute to the end, each time. */
  lost: string[];
}

export async function peers(scale: Scale): Promise<ScenarioResult> {
  const { entries, leftOut } = await enlist(scale);
  for (let round = 0; round < scale.of(kRounds, 1); round++) {
    for (const entry of entries) await takeTurn(entry, scale, round);
  }
  const minutes = await quietMinutes(entries, scale);
  const results = entries.map((entry) => resultOf(entry, minutes.get(entry.contender) ?? null));
  return describe(results, leftOut, scale);
}

/** Who takes part, and who is left out, by name. */
async function enlist(scale: Scale): Promise<{ entries: Entry[]; leftOut: string[] }> {
  const wanted = contenders.filter(({ timing }) => !scale.quick || timing.quickCuts !== undefined);
  const entries: Entry[] = [];
  const leftOut = new Set<string>();
  for (const contender of wanted) {
    const { status } = await outcome(['sh', '-c', `command -v ${contender.program}`]);
    if (status === 0)
      entries.push({ contender, version: await contender.version(), cuts: [], lost: [] });
    else leftOut.add(`${contender.peer} (not installed)`);
  }
  return { entries, leftOut: [...leftOut] };
}

// A neighbour that does not get ready loses its turn, is named for it, and does not take the run of
// all others with it. faild itself has no such excuse.
async function takeTurn(entry: Entry, scale: Scale, round: number): Promise<void> {
  const { contender, cuts } = entry;
  const { timing } = contender;
  const count = scale.of(timing.cuts, timing.quickCuts ?? 0);
  try {
    cuts.push(...(await Turn.run(contender, (turn) => turn.cuts(count, timing, round + 1))));
  } catch (error) {
    if (contender.peer === 'faild') throw error;
    entry.lost.push(`turn ${round + 1}: ${String(error)}`);
  }
}

/** All contenders, a few at a time; neighbours in the list get different minutes. */
async function quietMinutes(entries: Entry[], scale: Scale): Promise<Map<Contender, Minute>> {
  const groups = Math.ceil(entries.length / kTogether);
  const seen = new Map<Contender, Minute>();
  for (let group = 0; group < groups; group++) {
    const members = entries.filter((_, i) => i % groups === group);
    const minute = await quietMinute(
      members.map((entry) => entry.contender),
      scale.of(60, 5),
      scale.of(60, 0),
      (contender, why) => {
        const entry = members.find((member) => member.contender === contender);
        entry?.lost.push(`quiet minute: ${String(why)}`);
      },
    );
    for (const [contender, what] of minute) seen.set(contender, what);
  }
  return seen;
}

function resultOf({ contender, version, cuts, lost }: Entry, minute: Minute | null): PeerResult {
  const { name, peer, setting, timing } = contender;
  const ends = cuts.flatMap((cut) => Object.values(cut.ends));
  const streams = cuts.flatMap((cut) => Object.values(cut.streams));
  return {
    ...{ name, peer, setting, version, intervalMs: timing.intervalMs },
    cutToMovedMs: inMs(ends.map((end) => end.cutToMovedUs)),
    streamGapMs: inMs(streams.map((stream) => stream.gapUs)),
    healToReturnedMs: inMs(ends.map((end) => end.healToReturnedUs)),
    cuts,
    lost,
    minute,
  };
}

const inMs = (values: (number | null)[]): number[] =>
  values.flatMap((value) => (value === null ? [] : [value / 1000]));

/** Of each peer the shortest setting at which nothing moved without a cause but in a stall. */
export function lowestStable(results: readonly PeerResult[]): PeerResult[] {
  const stable = results.filter(isStable).sort((a, b) => a.intervalMs - b.intervalMs);
  const peers = [...new Set(results.map(({ peer }) => peer))];
  return peers.flatMap((name) => stable.find(({ peer }) => peer === name) ?? []);
}

function isStable({ lost, minute, cuts }: PeerResult): boolean {
  const quiet = [minute?.idle, minute?.busy].filter((seen) => seen != null);
  const moves = quiet.map(({ falseMoves, whileStalled }) => falseMoves - whileStalled);
  const strays = cuts.flatMap((cut) => cut.strays).filter(({ stallUs }) => stallUs === null);
  return lost.length + strays.length === 0 && quiet.length > 0 && moves.every((n) => n === 0);
}

const callOf = ({ peer, setting }: PeerResult): string => `${peer}, ${setting}`;

function describe(results: PeerResult[], leftOut: string[], scale: Scale): ScenarioResult {
  const ms = (what: string, of: (result: PeerResult) => number[]): Figure[] =>
    results.map((result) => figure(`${what}: ${callOf(result)}`, 'ms', of(result)));
  const raw: PeersRaw = { peers: results, leftOut };
  const lowest = lowestStable(results);
  return {
    name: 'peers',
    title: 'faild and its neighbours',
    method: methodOf(scale),
    figures: [
      ...ms('cut -> route changed', (result) => result.cutToMovedMs),
      ...ms('stream gap', (result) => result.streamGapMs),
      ...ms('heal -> switched back', (result) => result.healToReturnedMs),
      ...results.map((result) =>
        figure(`CPU of a core: ${callOf(result)}`, '%', result.minute?.cpuPercent ?? []),
      ),
    ],
    notes: [
      `The lowest settings that are stable here: ${lowest.map(callOf).join('; ')}.`,
      ...results.map(noteOf),
      ...leftOut.map((name) => `Left out: ${name}.`),
    ],
    plots: [
      {
        kind: 'distribution',
        file: 'peers.svg',
        title: 'Silent cut → route changed, each at its lowest setting that is stable here',
        unit: 'ms',
        series: lowest.map((result) => ({ name: callOf(result), values: result.cutToMovedMs })),
      },
    ],
    raw,
  };
}

const figure = (name: string, unit: Figure['unit'], values: number[]): Figure => ({
  name,
  unit,
  summary: summarize(values),
});

function methodOf(scale: Scale): string[] {
  const rounds = scale.of(kRounds, 1);
  return [
    'Two hosts on two LANs; all of LAN A is cut, silently and at a random phase, and healed. The',
    `contenders take turns, in ${rounds} round(s), each in a fresh lab: same switches, same cut,`,
    'same observer, same stream of a packet every 100 us each way. Figures are of both ends.',
    'Each runs at its default, and at shorter settings, down to what its program takes; stable is one',
    'without a move that had no cause, but in a stall of the machine. At the shorter ones it has',
    'SCHED_FIFO 50, which faild asks for by itself.',
    'Configurations, and why they are fair, are in `bench/peers/`.',
    'FRR 8.4 has no BFD for static routes; it moves the way to a loopback address.',
    'keepalived’s VRRP is used as a heartbeat: each host is the backup of the other.',
    'corosync changes no route: what counts is which link knet takes, by corosync’s own log (in',
    'steps of 4 ms), and the stream runs through its tunnel. Moves without a cause and CPU are of',
    `${scale.of(60, 5)} s in which nothing was cut, no stream ran, and up to ${kTogether} contenders`,
    `lived side by side${scale.quick ? '' : '; then as long again with both cores busy'}.`,
  ];
}

function noteOf(result: PeerResult): string {
  const ends = result.cuts.flatMap((cut) => Object.values(cut.ends));
  const stuck = ends.filter((end) => end.cutToMovedUs === null).length;
  const away = ends.filter((end) => end.healToReturnedUs === null).length;
  const other = ends.reduce((sum, end) => sum + end.otherMoves, 0);
  const { idle, busy } = result.minute ?? {};
  const moves = [
    `${other} during ${result.cuts.length} cuts`,
    ...(idle ? [`${quietText(idle)} idle`] : []),
    ...(busy ? [`${quietText(busy)} busy`] : []),
  ];
  const failed = stuck + away > 0 ? ` Never failed over: ${stuck}; never returned: ${away}.` : '';
  const lost = result.lost.map((why) => ` Lost its ${why}.`).join('');
  const version = `${result.peer} ${result.version}, ${result.setting}`;
  return `${version}: moves without a cause: ${moves.join(', ')}.${failed}${lost}`;
}

const quietText = ({ falseMoves, whileStalled, seconds }: Quiet): string =>
  `${falseMoves} (${whileStalled} in a stall of the machine) in ${seconds} s`;

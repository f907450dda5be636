// One failover, packet by packet, as the switches see it: every packet of both streams and every
// heartbeat on both LANs, the cut, what the kernels made of it, the heal, the way back.
//
// Of a few cuts the first is shown during which the machine did not stall; on a machine that always
// does, the one with the least stall, and a note says so.
import type { LanLetter } from '../../test/lab/topology.js';
import type { AgentReport, Frame, Trial } from '../agent.js';
import { type CutResult, judge } from '../cuts.js';
import { beginMeasuring, endMeasuring, type Pair, withPair } from '../pair.js';
import type { Lane, Mark, TimelinePlot } from '../plot/plots.js';
import type { Scale, ScenarioResult } from '../scenario.js';

const kTiming = { interval: 0.001, failAfter: 3, restoreAfter: 10 };
const kHoldUs = 60_000;
const kTries = 10;

interface Port {
  lan: LanLetter;
  host: number;
}
interface Story {
  trial: Trial;
  report: AgentReport;
  result: CutResult;
  frames: Frame[];
}

export function timeline(_scale: Scale): Promise<ScenarioResult> {
  return withPair(kTiming, async (pair) => {
    await beginMeasuring(pair);
    const ports = await pair.lab.sniff();
    const story = await tell(pair);
    await endMeasuring(pair);
    return describe(story, ports);
  });
}

async function tell(pair: Pair): Promise<Story> {
  const whole: Story[] = [];
  for (let i = 0; i < kTries; i++) {
    const story = await cutOnce(pair, 20_300 + 137 * i);
    if (isClean(story.result)) return story;
    if (isWhole(story.result)) whole.push(story);
  }
  const blemish = ({ result }: Story) => result.stallUs ?? 0;
  const least = whole.sort((a, b) => blemish(a) - blemish(b))[0];
  if (least === undefined) throw new Error(`none of ${kTries} cuts moved and returned both ends`);
  return least;
}

async function cutOnce({ lab }: Pair, waitUs: number): Promise<Story> {
  await lab.calm(300);
  await lab.agent.frames();
  const trial = await lab.cut({ lan: 'a' }, { waitUs, holdUs: kHoldUs, settleUs: 60_000 });
  const report = await lab.agent.report();
  return { trial, report, result: judge(trial, report), frames: await lab.agent.frames() };
}

const isWhole = ({ ends }: CutResult): boolean =>
  Object.values(ends).every((end) => end.cutToMovedUs !== null && end.healToReturnedUs !== null);

const isClean = (result: CutResult): boolean =>
  isWhole(result) && result.stallUs === null && result.strays.length === 0;

function describe(story: Story, ports: Port[]): ScenarioResult {
  const plot = draw(story, ports);
  const count = (kind: string, arrived: boolean) =>
    plot.lanes
      .flatMap((lane) => lane.frames)
      .filter((frame) => frame.kind === kind && frame.arrived === arrived).length;
  return {
    name: 'timeline',
    title: 'One failover, packet by packet',
    method: [
      'Two hosts at `-t 0.001 -f 3 -s 10`, a packet every 100 us each way between their addresses on',
      'LAN A, which is cut for 60 ms. Seen by packet sockets on the switches’ ports: what a host sent,',
      'and whether the other one was sent it. On the way back both LANs serve for a while; a host is',
      'back when its kernel sends by LAN A alone.',
    ],
    figures: [],
    notes: [
      `Shown: ${count('stream', true)} packets of the streams that arrived, ${count('stream', false)} that were lost; ${count('heartbeat', true)} heartbeats that arrived, ${count('heartbeat', false)} that were lost.`,
      ...(isClean(story.result) ? [] : [blemishes(story.result)]),
    ],
    plots: [plot],
    raw: { trial: story.trial, watches: story.report.watches },
  };
}

const blemishes = ({ stallUs, strays }: CutResult): string =>
  `None of ${kTries} cuts was free of such: during this one the machine stalled for up to ` +
  `${((stallUs ?? 0) / 1000).toFixed(1)} ms, and ${strays.length} false verdicts were given.`;

function draw({ trial, result, frames }: Story, ports: Port[]): TimelinePlot {
  const cutUs = trial.cutUs[0];
  const healMs = (trial.healUs[0] - cutUs) / 1000;
  const ends = Object.entries(result.ends).map(([name, end]) => ({
    name,
    awayMs: (end.cutToMovedUs ?? 0) / 1000,
    backMs: healMs + (end.healToReturnedUs ?? 0) / 1000,
  }));
  const panels = [
    {
      title: 'The failover',
      fromMs: -2,
      toMs: Math.max(...ends.map((end) => end.awayMs)) + 3,
    },
    {
      title: 'The switchback',
      fromMs: healMs - 2,
      toMs: Math.max(...ends.map((end) => end.backMs)) + 3,
    },
  ];
  const shown = (atMs: number) => panels.some(({ fromMs, toMs }) => atMs >= fromMs && atMs <= toMs);
  const marks: Mark[] = [
    { atMs: 0, name: 'LAN A is cut', by: 'network' },
    { atMs: healMs, name: 'LAN A heals', by: 'network' },
    ...ends.flatMap(({ name, awayMs, backMs }): Mark[] => [
      { atMs: awayMs, name: `${name} sends by LAN B`, by: 'host' },
      { atMs: backMs, name: `${name} is back on LAN A alone`, by: 'host' },
    ]),
  ];
  const lanes = ports.map((port) => laneOf(port, ports, frames, cutUs, shown));
  return {
    kind: 'timeline',
    file: 'timeline.svg',
    title: 'A silent cut of LAN A at -t 0.001 -f 3, packet by packet',
    panels,
    lanes,
    marks,
  };
}

/** What one host sent on one LAN; it arrived if it left the switch towards the other host. */
function laneOf(
  { lan, host }: Port,
  ports: Port[],
  frames: Frame[],
  cutUs: number,
  shown: (atMs: number) => boolean,
): Lane {
  const number = (of: number) => ports.findIndex((port) => port.lan === lan && port.host === of);
  const [own, other] = [number(host), number(3 - host)];
  const key = (frame: Frame) => `${frame.kind} ${frame.identity}`;
  const arrived = new Set(frames.filter((frame) => frame.port === other && frame.toHost).map(key));
  const sent = frames.filter((frame) => frame.port === own && !frame.toHost);
  return {
    name: `host${host}, LAN ${lan.toUpperCase()}`,
    frames: sent
      .map((frame) => ({
        atMs: (frame.atUs - cutUs) / 1000,
        kind: frame.kind === 'stream' ? ('stream' as const) : ('heartbeat' as const),
        arrived: arrived.has(key(frame)),
      }))
      .filter(({ atMs }) => shown(atMs)),
  };
}

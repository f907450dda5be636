// Proves the instruments before anything is measured with them; no daemon runs here.
//
// - The cut's instant: streams 8 us apart show the last packet that passed and the first one after
//   the heal.
// - The gap: with nobody failing over, a stream's gap is the cut itself.
// - The route watch: it sees route changes that the agent makes itself.
// - Pacing and stall watchers: how late their own wake-ups are.
import type { Streamed, Trial } from '../agent.js';
import { BenchLab, kStallPeriodUs, kStreamPeriodUs } from '../lab.js';
import type { Bar, Figure, Scale, ScenarioResult } from '../scenario.js';
import { summarize } from '../statistics.js';

const kFinePeriodUs = 8;
const kHoldUs = 5000;
const kWidthBar: Bar = { figure: 'max', limit: 50 };
const kProbeAddress = '198.51.100.1'; // TEST-NET-2: nothing but the probe knows it

export async function instruments(scale: Scale): Promise<ScenarioResult> {
  const lab = await BenchLab.create();
  try {
    const count = scale.of(500, 100, 20);
    const probes = await probeRoutes(lab, count);
    await lab.watchPair();
    await lab.agent.watchStalls(kStallPeriodUs);
    const instants = await cutFinely(lab, scale.of(100, 10, 3));
    const gaps = await cutGaps(lab, scale.of(100, 10, 3));
    await lab.agent.pace(kStreamPeriodUs);
    await lab.calm();
    const quiet = await lab.calm(scale.of(10_000, 1000, 300));
    return describe(
      { probes, ...instants, ...gaps },
      [
        { name: 'stream pacing: late by', unit: 'us', summary: quiet.pacingUs },
        ...quiet.latenessUs.map(
          (summary, core): Figure => ({
            name: `stall watcher on core ${core}: late by`,
            unit: 'us',
            summary,
          }),
        ),
      ],
      `The route watch saw ${probes.length} of ${2 * count} changes that it was shown.`,
    );
  } finally {
    await lab.destroy();
  }
}

/** Asked for -> seen by the watch, which misses a change that is undone before it runs again. */
async function probeRoutes(lab: BenchLab, count: number): Promise<number[]> {
  const host = lab.topology.host(1);
  await lab.agent.addWatch('probe', host.netns, kProbeAddress);
  await lab.agent.report();
  const asked = await lab.agent.probe(host.netns, kProbeAddress, 'lana', count);
  const { moves } = (await lab.calm(20)).watches.probe ?? { moves: [] };
  return asked.flatMap(([fromUs], i) => {
    const untilUs = asked[i + 1]?.[0] ?? Number.POSITIVE_INFINITY;
    const seen = moves.slice(1).find(({ atUs }) => atUs >= fromUs && atUs < untilUs);
    return seen === undefined ? [] : [seen.atUs - fromUs];
  });
}

interface Instants {
  width: number[];
  lastPassed: number[];
  firstAfter: number[];
}

/** When a cut takes effect, as packets 8 us apart see it. */
async function cutFinely(lab: BenchLab, count: number): Promise<Instants> {
  const seen: Instants = { width: [], lastPassed: [], firstAfter: [] };
  for (let i = 0; i < count; i++) {
    await lab.agent.pace(kFinePeriodUs);
    await lab.calm(40);
    const trial = await lab.cut(
      { lan: 'a' },
      { waitUs: 3000 + i * 7, holdUs: kHoldUs, settleUs: 3000 },
    );
    await lab.agent.pace(0);
    const { streams } = await lab.calm(40);
    seen.width.push(trial.cutUs[1] - trial.cutUs[0]);
    for (const stream of Object.values(streams)) noteEdges(trial, stream, seen);
  }
  return seen;
}

function noteEdges(trial: Trial, stream: Streamed, seen: Instants): void {
  const hole = stream.losses.find(
    (loss) => loss.sentBeforeUs < trial.healUs[0] && loss.sentAfterUs > trial.cutUs[1],
  );
  if (hole === undefined)
    throw new Error('a cut lost no packet of a stream: the cutter does not cut');
  seen.lastPassed.push(hole.sentBeforeUs - trial.cutUs[1]);
  seen.firstAfter.push(hole.sentAfterUs - trial.healUs[0]);
}

/** The stream's gap less the cut's length: one to two periods of the stream when all is well. */
async function cutGaps(lab: BenchLab, count: number): Promise<{ gapError: number[] }> {
  const gapError: number[] = [];
  await lab.agent.pace(kStreamPeriodUs);
  for (let i = 0; i < count; i++) {
    await lab.calm(30);
    const trial = await lab.cut(
      { lan: 'a' },
      { waitUs: 3000 + i * 13, holdUs: kHoldUs, settleUs: 20_000 },
    );
    for (const stream of Object.values((await lab.agent.report()).streams)) {
      const gap = stream.gaps.find(([from, to]) => from < trial.healUs[0] && to > trial.cutUs[1]);
      if (gap === undefined) throw new Error('a stream did not notice a cut');
      gapError.push(gap[1] - gap[0] - (trial.healUs[0] - trial.cutUs[0]));
    }
  }
  await lab.agent.pace(0);
  return { gapError };
}

type Raw = Instants & { probes: number[]; gapError: number[] };

function describe(raw: Raw, others: Figure[], note: string): ScenarioResult {
  const figure = (name: string, values: number[], bars: Bar[] = []): Figure => ({
    name,
    unit: 'us',
    summary: summarize(values),
    bars,
  });
  return {
    name: 'instruments',
    title: 'The instruments',
    method: [
      'No daemon runs. A cut is one store into memory that a BPF program on the switches’ ports',
      'reads; its instant lies between two readings of the clock.',
      `Streams ${kFinePeriodUs} us apart show when it takes effect: the last packet that passed was`,
      'sent before the cut (negative), the first one after the heal was sent after it.',
      `With nobody failing over, the gap of a stream ${kStreamPeriodUs} us apart is the cut plus`,
      'up to two periods.',
      'The route watch is held against route changes that the agent makes itself.',
    ],
    figures: [
      figure('cut: width of the store’s instant', raw.width, [kWidthBar]),
      figure('cut: sending of the last packet that passed', raw.lastPassed),
      figure('heal: sending of the first packet that passed', raw.firstAfter),
      figure('stream: gap less the cut’s length', raw.gapError),
      figure('route watch: change asked for -> seen', raw.probes),
      ...others,
    ],
    notes: [note],
    raw,
  };
}

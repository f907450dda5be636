// What TCP's users notice of a silent cut: a request/response flow and a bulk flow between the
// addresses of LAN A, with the kernel's own least retransmission time-out (200 ms) and with a
// shorter one, by faild's own option.
//
// A lost packet is sent again when its timer fires, and by then the route has long changed: so it
// is `rto_min`, not detection, that decides how long TCP waits.
import { cutSeriesOf, msFigure } from '../cut-report.js';
import { type CutResult, cutSeries } from '../cuts.js';
import { kStallPeriodUs } from '../lab.js';
import { endMeasuring, withPair } from '../pair.js';
import type { Figure, Scale, ScenarioResult } from '../scenario.js';
import { summarize } from '../statistics.js';

const kTiming = { interval: 0.001, failAfter: 3, restoreAfter: 10 };
/** One tick of a kernel of 250 Hz: 5 ms would be two. */
const kRtoMinMs = 4;

interface Variant {
  name: string;
  cuts: CutResult[];
}

export async function tcp(scale: Scale): Promise<ScenarioResult> {
  const count = scale.of(40, 4, 1);
  const variants: Variant[] = [
    { name: 'kernel’s default', cuts: await measure(count, false) },
    { name: `rto_min ${kRtoMinMs} ms`, cuts: await measure(count, true) },
  ];
  return {
    name: 'tcp',
    title: 'What TCP notices of a silent cut',
    method: [
      'Two hosts at `-t 0.001 -f 3`; LAN A is cut for 500 ms. A request of 64 bytes every half',
      'millisecond, answered at once, and a bulk flow of 400 Mbit/s, both on LAN A’s addresses.',
      'A stall is the longest time that the application waited for its answer, or for the next',
      `bytes. \`rto_min ${kRtoMinMs} ms\`: both daemons with \`--rto-min ${kRtoMinMs}ms\`, so that`,
      'every route to the peer carries it, on either LAN.',
    ],
    figures: variants.flatMap(figures),
    notes: variants.flatMap(notes),
    plots: [
      {
        kind: 'distribution',
        file: 'tcp.svg',
        title: 'What TCP notices of a silent cut at -t 0.001 -f 3',
        unit: 'ms',
        series: [
          ...variants.flatMap(({ name, cuts }) =>
            flowsOf(cuts).map((flow) => ({
              name: `${kFlows[flow]} stall, ${name}`,
              values: stalls(cuts, flow).flatMap((us) => (us === null ? [] : [us / 1000])),
            })),
          ),
          ...cutSeriesOf(variants.flatMap(({ cuts }) => cuts)).slice(0, 1),
        ],
      },
    ],
    raw: variants,
  };
}

const kFlows: Record<string, string> = { dialogue: 'request/response', bulk: 'bulk' };
const flowsOf = (cuts: CutResult[]): string[] => Object.keys(cuts[0]?.tcp ?? {});
const stalls = (cuts: CutResult[], flow: string) =>
  cuts.map((cut) => cut.tcp[flow]?.stallUs ?? null);

function measure(count: number, withRtoMin: boolean): Promise<CutResult[]> {
  const more = withRtoMin ? ['--rto-min', `${kRtoMinMs}ms`] : [];
  return withPair({ ...kTiming, more }, async (pair) => {
    await pair.lab.addTcp();
    await pair.lab.agent.watchStalls(kStallPeriodUs);
    await pair.lab.agent.letTcpFlow(true);
    await pair.lab.calm(1000);
    const cuts = await cutSeries(pair.lab, {
      count,
      target: { lan: 'a' },
      intervalUs: kTiming.interval * 1e6,
      holdUs: 500_000,
      settleUs: 400_000,
    });
    await pair.lab.agent.letTcpFlow(false);
    await endMeasuring(pair);
    return cuts.map((cut) => ({ ...cut, streams: {} })); // which rested
  });
}

function figures({ name, cuts }: Variant): Figure[] {
  const ends = cuts.flatMap((cut) => Object.values(cut.ends));
  return [
    ...flowsOf(cuts).map((flow) => msFigure(`${kFlows[flow]} stall, ${name}`, stalls(cuts, flow))),
    msFigure(
      `cut -> route changed, ${name}`,
      ends.map((end) => end.cutToMovedUs),
    ),
  ];
}

function notes({ name, cuts }: Variant): string[] {
  return flowsOf(cuts).map((flow) => {
    const back = cuts.map((cut) => cut.tcp[flow]?.stallAtSwitchbackUs ?? null);
    const long = back.filter((us) => us === null || us > 0).length;
    const worst = Math.max(...back.map((us) => us ?? Number.POSITIVE_INFINITY)) / 1000;
    const least = flow === 'bulk' ? 3 : 1;
    const usual = cuts.flatMap((cut) => cut.tcp[flow]?.usualUs ?? []);
    const tail = long === 0 ? '' : `, the longest ${worst.toFixed(1)} ms`;
    const often = (summarize(usual)?.p50 ?? 0) / 1000;
    return (
      `${kFlows[flow]}, ${name}: waits of more than ${least} ms after the heal: in ${long} of ` +
      `${cuts.length} cuts${tail}. Its usual wait is ${often.toFixed(2)} ms.`
    );
  });
}

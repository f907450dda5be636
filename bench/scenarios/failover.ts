// A silent cut in the middle of LAN A at random phase, many times: how long until the kernels at
// both ends send by LAN B, what a stream notices, and how it returns after the heal.
import { cutFigures, cutNotes, cutSeriesOf } from '../cut-report.js';
import { cutSeries } from '../cuts.js';
import { beginMeasuring, endMeasuring, withPair } from '../pair.js';
import { daemonPids } from '../processes.js';
import type { Bar, Scale, ScenarioResult } from '../scenario.js';

export { cutFigures, cutNotes } from '../cut-report.js';

export interface FailoverOrder {
  name: string;
  title: string;
  intervalUs: number;
  failAfter: number;
  restoreAfter: number;
  bars: Bar[];
}

export const kMillisecond: FailoverOrder = {
  name: 'failover-1ms',
  title: 'Silent cut at `-t 0.001 -f 3`',
  intervalUs: 1000,
  failAfter: 3,
  restoreAfter: 10,
  bars: [
    { figure: 'p50', limit: 3.0 },
    { figure: 'p99', limit: 3.5 },
  ],
};
export const kFifthOfIt: FailoverOrder = {
  name: 'failover-200us',
  title: 'Silent cut at `-t 0.0002 -f 5`',
  intervalUs: 200,
  failAfter: 5,
  restoreAfter: 10,
  bars: [{ figure: 'p99', limit: 1.4 }],
};

export function failover(order: FailoverOrder, scale: Scale): Promise<ScenarioResult> {
  const { intervalUs, failAfter, restoreAfter } = order;
  return withPair({ interval: intervalUs / 1e6, failAfter, restoreAfter }, async (pair) => {
    await beginMeasuring(pair);
    const cuts = await cutSeries(pair.lab, {
      count: scale.of(200, 10, 3),
      target: { lan: 'a' },
      intervalUs,
      holdUs: 200_000,
      settleUs: 200_000,
      pids: daemonPids(),
    });
    await endMeasuring(pair);
    return {
      name: order.name,
      title: order.title,
      method: [
        `Two hosts with \`-r -t ${intervalUs / 1e6} -f ${failAfter} -s ${restoreAfter}\`;`,
        'all of LAN A is cut for 200 ms, then healed. Route changed: the first instant at which the',
        'kernel, asked after a route or rule notification, sends by LAN B.',
      ],
      figures: cutFigures(cuts, order.bars),
      notes: cutNotes(cuts),
      plots: [
        {
          kind: 'distribution',
          file: `${order.name}.svg`,
          title: order.title.replaceAll('`', ''),
          unit: 'ms',
          series: cutSeriesOf(cuts),
        },
      ],
      raw: cuts,
    };
  });
}

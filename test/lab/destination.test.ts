// Aim: on a network without broadcast, hosts find each other and fail over by multicast, or by
// unicast to a static list; with either transport, and while hosts differ in it.
import './in-arena.js';
import t, { type Test } from 'tap';
import type { DaemonOptions } from './daemon.js';
import { Lab } from './lab.js';
import { inside, run } from './shell.js';

/** Every switch drops UDP to all; what ARP sends so is left alone. In the table of cut.ts. */
async function forbidBroadcast({ topology }: Lab, also = ''): Promise<void> {
  const rules = `table bridge faild-lab {
    chain no-broadcast {
      type filter hook forward priority -1; policy accept;
      ether daddr ff:ff:ff:ff:ff:ff ip protocol udp counter drop
      ${also}
    }
  }`;
  await run(inside(topology.switches, ['nft', '-f', '-']), { input: rules });
}

async function finds(t: Test, special: Record<number, DaemonOptions>, also = ''): Promise<void> {
  const lab = await Lab.open(t, { special, start: [] });
  await forbidBroadcast(lab, also);
  await lab.start(1, 2);
  await lab.allUp();
  const stream = await lab.stream(1, 2, 'a');
  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', 'b');
  await lab.flows(stream);
  await lab.cuts.heal({ lan: 'a' });
  await lab.goes('a', 'a');
  await lab.stopsClean(t);
}

const by = (...more: string[]): DaemonOptions => ({ more });
const multicast = by('--destination', 'multicast');
const unicastTo = (peer: number): DaemonOptions =>
  by(
    ...['--destination', 'unicast', '--static-peer', `10.1.0.${peer}`],
    ...['--static-peer', `10.2.0.${peer}`],
  );
const udp = (options: DaemonOptions): DaemonOptions => ({ ...options, transport: 'udp' });

t.test('multicast, one raw and one udp', async (t) => {
  await finds(t, { 1: multicast, 2: udp(multicast) });
});

t.test('unicast, one raw and one udp, without multicast', async (t) => {
  await finds(t, { 1: unicastTo(2), 2: udp(unicastTo(1)) }, 'ip daddr 224.0.0.0/4 drop');
});

t.test('multicast at one end, unicast at the other, raw', async (t) => {
  await finds(t, { 1: multicast, 2: unicastTo(1) });
});

// Aim: a LAN dies silently in the middle, under traffic of both address families; every host moves
// to the other LAN and comes back without losing a packet. For each reverse-path filter, each
// transport and mixtures of them, for a pair (single paths) and for more (whole LANs).
import './in-arena.js';
import t from 'tap';
import { Lab, survivesOutage } from './lab.js';

// Strict: on kernels that choose the next hop by the flow's source (6.18 does), the end that
// returns first is dropped by the other until its urgent inquiry is read: 10 ms at most.
const mayLose = (rpFilter: 0 | 1 | 2): number => (rpFilter === 1 ? 10 : 0);

for (const rpFilter of [0, 1, 2] as const) {
  t.test(`rp_filter ${rpFilter}: three hosts, raw`, async (t) => {
    await survivesOutage(t, await Lab.open(t, { hosts: 3, rpFilter }), mayLose(rpFilter));
  });
}

// A strict filter would drop the failed LAN's heartbeats too, and udp could never see it heal,
// were there not the rule that keeps them on the main table.
for (const rpFilter of [0, 1, 2] as const) {
  t.test(`rp_filter ${rpFilter}: three hosts, udp`, async (t) => {
    const daemon = { transport: 'udp' } as const;
    await survivesOutage(t, await Lab.open(t, { hosts: 3, rpFilter, daemon }), mayLose(rpFilter));
  });

  t.test(`rp_filter ${rpFilter}: a pair, one raw and one udp`, async (t) => {
    const special = { 2: { transport: 'udp' } } as const;
    await survivesOutage(t, await Lab.open(t, { rpFilter, special }), mayLose(rpFilter));
  });
}

t.test('a pair, raw', async (t) => {
  await survivesOutage(t, await Lab.open(t));
});

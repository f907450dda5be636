// Aim: faults of a part. One direction only is noticed by both ends; one host's link moves just that
// host's traffic; responders and requestors judge each other; with three LANs, the stated order.
import './in-arena.js';
import t from 'tap';
import { routes } from './kernel.js';
import { Lab, onlyOf } from './lab.js';

for (const direction of ['outgoing', 'incoming'] as const) {
  t.test(`one direction, ${direction}, of a pair: both ends move`, async (t) => {
    const lab = await Lab.open(t);
    const sinceUs = await lab.cuts.cut({ lan: 'a', host: 1, direction });
    await lab.goes('a', 'b');
    const downs = [1, 2].map((host) => lab.said(['path-down', 'lan-down'], { sinceUs, host }));
    const reasons = (await Promise.all(downs)).map(([first]) => first?.reason);
    const expected = direction === 'outgoing' ? ['not-heard', 'silent'] : ['silent', 'not-heard'];
    t.same(reasons, expected, 'each end says why');
    await lab.cuts.heal({ lan: 'a', host: 1, direction });
    await lab.goes('a', 'a');
    await lab.stopsClean(t);
  });

  t.test(`one direction, ${direction}, of one among three: only its traffic moves`, async (t) => {
    const lab = await Lab.open(t, { hosts: 3, rpFilter: 1 });
    const stream = await lab.stream(2, 3, 'a');
    await lab.flows(stream);
    const cutUs = await lab.cuts.cut({ lan: 'a', host: 1, direction });
    await lab.goes('a', onlyOf(1, 'a', 'b'));
    await lab.flows(stream);
    await lab.cuts.heal({ lan: 'a', host: 1, direction });
    await lab.goes('a', 'a');
    t.equal((await stream.report(cutUs)).lost, 0, 'the others never lose a datagram');
    await lab.stopsClean(t);
  });
}

t.test("a single host's link: only that host moves, by exceptions", async (t) => {
  const lab = await Lab.open(t, { hosts: 4 });
  const stream = await lab.stream(1, 3, 'a');
  await lab.flows(stream);
  const cutUs = await lab.cuts.cut({ lan: 'a', host: 2 });
  await lab.goes('a', onlyOf(2, 'a', 'b'));
  t.same(await lab.said(['lan-down'], { host: 1 }), [], 'host1 does not take it for a dead LAN');
  const exceptions = (await routes(lab.topology.host(1))).filter(({ table }) => table === '931100');
  t.same(exceptions.map(({ dst }) => dst).sort(), ['10.1.0.2', 'fd00:1::2'], 'two exceptions');
  await lab.flows(stream);
  t.equal((await stream.report(cutUs)).lost, 0, 'the others lose nothing');
  await lab.cuts.cut({ lan: 'a', host: 3 });
  await lab.goes('a', (from, to) => (from + to === 5 && from !== 2 && from !== 3 ? 'a' : 'b'));
  await lab.cuts.heal({ lan: 'a', host: 3 });
  await lab.goes('a', onlyOf(2, 'a', 'b'));
  await lab.cuts.heal({ lan: 'a', host: 2 });
  await lab.goes('a', 'a');
  await lab.stopsClean(t);
});

t.test('each exception has a metric of its own', async (t) => {
  const lab = await Lab.open(t, { hosts: 5 });
  const cuts = [{ lan: 'a', host: 2 } as const, { lan: 'a', host: 3 } as const];
  await lab.cuts.cut(...cuts);
  await lab.goes('a', (from, to) => ([2, 3].includes(from) || [2, 3].includes(to) ? 'b' : 'a'));
  const all = (await routes(lab.topology.host(1), 4)).filter(({ table }) => table === '931100');
  t.equal(all.length, 2);
  t.equal(new Set(all.map(({ metric }) => metric)).size, 2, 'no two are alike');
});

t.test('responders that only answer, and one requestor: both ends move and return', async (t) => {
  const special = { 2: { requestor: false }, 3: { requestor: false } };
  const lab = await Lab.open(t, { hosts: 3, special });
  await lab.cuts.cut({ lan: 'a', host: 1 });
  await lab.goes('a', onlyOf(1, 'a', 'b'));
  await lab.cuts.heal({ lan: 'a', host: 1 });
  await lab.goes('a', 'a');
  for (const direction of ['outgoing', 'incoming'] as const) {
    await lab.cuts.cut({ lan: 'a', host: 2, direction });
    await lab.goes('a', (from, to) => (from + to === 3 ? 'b' : 'a'));
    await lab.cuts.heal({ lan: 'a', host: 2, direction });
    await lab.goes('a', 'a');
  }
  await lab.stopsClean(t);
});

t.test('three LANs: alternates are taken in the order of the LANs', async (t) => {
  const lab = await Lab.open(t, { hosts: 3, lans: 3 });
  const stream = await lab.stream(1, 2, 'a');
  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', 'b');
  await lab.cuts.cut({ lan: 'b' });
  await lab.goes('a', 'c');
  await lab.goes('b', 'c');
  await lab.flows(stream);
  t.same(await lab.strays('c', 'c'), [], 'when the alternate dies too, the next one is taken');
  const healedUs = await lab.cuts.heal({ lan: 'b' });
  await lab.goes('b', 'b');
  t.same(await lab.strays('a', 'c'), [], 'an alternate that works is kept');
  await lab.cuts.heal({ lan: 'a' });
  await lab.goes('a', 'a');
  await lab.flows(stream);
  t.equal((await stream.report(healedUs)).lost, 0, 'no datagram is lost on the way back');
  await lab.stopsClean(t);
});

t.test(
  'three LANs named on the command line: their order is the order of alternates',
  async (t) => {
    const more = ['--lan', 'A=lana', '--lan', 'C=lanc', '--lan', 'B=lanb'];
    const lab = await Lab.open(t, { lans: 3, daemon: { more } });
    await lab.cuts.cut({ lan: 'a' });
    await lab.goes('a', 'c');
    await lab.cuts.heal({ lan: 'a' });
    await lab.goes('a', 'a');
    await lab.stopsClean(t);
  },
);

// Aim: the reason for each choice is the true one, and what would happen if a LAN died follows the
// planner's rules (test/lab/control.test.ts holds it against what really happens).
import t from 'tap';

import { explain, wayIf } from '../../lib/cluster/explain.js';
import type { NativeRecording } from '../../lib/engine/native.js';
import { renderExplanation } from '../../lib/text/explain.js';
import { idOf, sketch } from './statuses.js';

const network = { networkNamespace: null, namespaceId: '1' };
type Paths = Parameters<typeof sketch>[0][string];

const choices: [string, string, Paths, Parameters<typeof sketch>[1]?][] = [
  ['all is well', 'own', { A: 'up', B: 'up' }],
  ['failed over', 'down', { A: { state: 'down', via: 'B' }, B: 'up' }],
  ['by hand', 'by-hand', { A: { forced: true, via: 'B' }, B: 'up' }],
  ['drained', 'drained', { A: { via: 'B' }, B: 'up' }, { drained: ['A'] }],
  ['good again', 'returning', { A: { via: 'B' }, B: 'up' }],
  ['LAN judged dead', 'lan-dead', { A: { via: 'B' }, B: 'up' }, { lansDown: ['A'] }],
  ['nothing else is up', 'no-alternate', { A: 'down', B: 'down' }],
  ['drained, but nothing else', 'no-alternate', { A: 'up', B: 'down' }, { drained: ['A'] }],
  ['hesitating', 'waiting', { A: 'down', B: 'up' }],
  ['just met', 'not-judged', { A: 'unknown', B: 'up' }],
  ['said goodbye', 'not-judged', { A: 'stopped', B: 'stopped' }],
];

for (const [name, because, paths, more] of choices) {
  t.test(`choice: ${name}`, async (t) => {
    const [first] = explain(sketch({ web1: paths }, more), network, 'web1', null).paths;
    t.match(first, { lan: { name: 'A' }, because });
  });
}

/** Of LAN A's traffic, when the LAN in the second column dies. */
const ways: [string, string, string | null, Paths, string[]?][] = [
  ['the first that is up', 'A', 'B', { A: 'up', B: 'up', C: 'up' }],
  ['not one that is down', 'A', 'C', { A: 'up', B: 'down', C: 'up' }],
  ['none is up', 'A', null, { A: 'up', B: 'down' }],
  ['another LAN does not matter', 'B', 'A', { A: 'up', B: 'up' }],
  ['away, and the alternate dies', 'B', 'C', { A: { state: 'down', via: 'B' }, B: 'up', C: 'up' }],
  ['back again, and it dies', 'B', 'A', { A: { via: 'B' }, B: 'up', C: 'up' }],
  ['by hand, and it dies', 'B', 'C', { A: { forced: true, via: 'B' }, B: 'up', C: 'up' }],
  ['by hand, nothing else', 'B', 'A', { A: { forced: true, via: 'B' }, B: 'up', C: 'down' }],
  ['away already', 'A', 'C', { A: { state: 'down', via: 'C' }, B: 'up', C: 'up' }],
  ['a drained one is the last', 'A', 'C', { A: 'up', B: 'up', C: 'up' }, ['B']],
  ['but better than none', 'A', 'B', { A: 'up', B: 'up', C: 'down' }, ['B']],
  ['drained, and the alternate dies', 'B', 'A', { A: { via: 'B' }, B: 'up', C: 'down' }, ['A']],
];

for (const [name, dead, expected, paths, drained] of ways) {
  t.test(`if LAN ${dead} died: ${name}`, async (t) => {
    const { peers, plan } = sketch({ web1: paths }, { drained: drained ?? [] });
    const [peer] = peers;
    const own = peer?.paths.find(({ lan }) => lan === 'A');
    if (peer === undefined || own === undefined) throw new Error('no such path');
    t.equal(wayIf(dead, own, peer, plan), expected);
  });
}

const plainProbe = { kind: 'inq' as const, urgent: false, unheard: false, refused: false };

function ownRing(): NativeRecording {
  const at = (atUs: number, sequence: number) => ({
    ...{ ...plainProbe, sent: false, lagUs: 0, atUs, sequence },
  });
  const probes = [at(45_000, 8), at(55_000, 9)];
  return { host: idOf('web1'), lan: 0, intervalUs: 10_000, verdictUs: null, probes };
}

function sentRing(): NativeRecording {
  const at = (atUs: number, sequence: number) => ({
    ...{ ...plainProbe, sent: true, lagUs: 12, atUs, sequence },
  });
  const probes = [at(48_000, 4), at(58_000, 5)];
  return { host: null, lan: 0, intervalUs: 10_000, verdictUs: null, probes };
}

t.test('for people: verdict, evidence, choice, kernel, and what if', async (t) => {
  const status = sketch({
    web1: {
      A: { state: 'down', reason: 'silent', via: 'B', missed: 4, lastHeardUs: 45_000, good: 0 },
      B: 'up',
    },
  });
  const route = {
    destination: '10.1.0.2',
    device: 'lanb',
    gateway: '10.2.0.2',
    source: '10.1.0.1',
    table: '931100',
  };
  const recorder = { takenUs: 100_000, leftOut: 0, recordings: [ownRing(), sentRing()] };
  const kernel = [{ address: '10.1.0.2', takes: { ...route, table: null }, entries: [route] }];
  const told = { ...explain(status, network, 'web1', recorder), kernel, kernelWhy: null };
  t.equal(
    renderExplanation(told),
    `web1 (0000000077656231)  requestor, incarnation 0000000000000001

LAN A (lana)  10.1.0.2
  verdict  down for 60 s: silent for 45 ms, 4 packets missed at 10 ms
  evidence heard 45 ms ago, due every 10 ms, 4 missed (down after 3), 0 of 10 good, rtt 50 us
  choice   traffic takes LAN B: its own is down
  kernel   10.1.0.2: via 10.2.0.2 dev lanb src 10.1.0.1
           table 931100: via 10.2.0.2 dev lanb src 10.1.0.1
  probes   -55 ms  <- inq  8
           -52 ms  -> inq  4  12 us late
           -45 ms  <- inq  9  gap 10 ms, on time
           -42 ms  -> inq  5  12 us late

LAN B (lanb)  10.2.0.2
  verdict  up for 60 s: heard both ways
  evidence heard 2 ms ago, due every 10 ms, 0 missed (down after 3), rtt 50 us
  choice   traffic takes LAN B: its own, which works

If LAN A died now: traffic of LAN A would stay on LAN B, traffic of LAN B would stay on LAN B
If LAN B died now: traffic of LAN A would be ISOLATED, traffic of LAN B would be ISOLATED

(120 us old; the engine's thread is alive)
`,
  );
  const kept = [
    { ...ownRing(), verdictUs: 90_000 },
    { ...sentRing(), verdictUs: 60_000 },
  ];
  const after = { ...recorder, recordings: [...kept, sentRing()] };
  const then = { ...explain(status, network, 'web1', after), kernel, kernelWhy: null };
  t.match(
    renderExplanation(then),
    `
  probes   before the verdict:
           -45 ms  <- inq  8
           -42 ms  -> inq  4  12 us late
           -35 ms  <- inq  9  gap 10 ms, on time
           -32 ms  -> inq  5  12 us late
`,
  );
  const blind = { ...told, kernel: null, kernelWhy: 'no ip here' };
  t.match(renderExplanation(blind), /^kernel's routes not shown: no ip here$/m);
});

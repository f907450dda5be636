// Aim: each LAN keeps its own timing, and a reload may change it while traffic flows: nobody is
// judged by the change, whatever may be lost of its announcement, and afterwards a cut is noticed
// in the new time.
import t, { type Test } from 'tap';
import { Cluster, milliseconds, seconds } from './cluster.js';
import { settle } from './convergence.js';
import { detectionUs } from './detector.js';
import { type HostOptions, usualHost } from './host.js';
import { watch } from './invariants.js';
import { unreachable } from './reach.js';

const [A, B] = [0, 1] as const;
const responder = { requestor: false };
/** A packet's way, the other end's answer to it, and the kernels'. */
const slack = 1 * milliseconds;

function started(hosts: Partial<HostOptions>[]): Cluster {
  const cluster = new Cluster({ seed: 3, lans: 2, hosts });
  watch(cluster);
  cluster.startAll();
  const faults = settle(cluster);
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return cluster;
}

function verdicts(cluster: Cluster): string[] {
  return cluster.hosts.flatMap(({ number, events }) =>
    events
      .filter(({ kind }) => kind === 'path-down' || kind === 'lan-down' || kind === 'failover')
      .map(({ kind, lan, reason }) => `host ${number}: ${kind} on LAN ${lan} (${reason})`),
  );
}

/** As much as may be lost: everything but one in `failAfter`. */
function loseMuch(cluster: Cluster, lossPerMille: number): void {
  const lossy = { lossPerMille, mostLostInARow: usualHost.failAfter - 1 };
  for (const { number: from, options } of cluster.hosts) {
    // Between a requestor and a responder an inquiry *or* its answer may be lost.
    if (!options.requestor) continue;
    for (const { number: to } of cluster.hosts) {
      if (to !== from) for (const lan of [A, B]) cluster.setLink(lan, from, to, lossy);
    }
  }
}

/** From the cut until all traffic between requestors has left the LAN. */
function leaves(cluster: Cluster, lan: number): number | undefined {
  cluster.cutLan(lan);
  const askers = cluster.hosts.filter(({ options }) => options.requestor);
  const gone = () =>
    askers.every(({ number: from }) =>
      askers.every(({ number: to }) => from === to || cluster.way(from, to, lan) !== lan),
    );
  return cluster.runUntil(gone, 10 * seconds);
}

/** Between f - 1 and f intervals from the cut, and the tolerance. */
function noticesWithin(t: Test, cluster: Cluster, lan: number, intervalUs: number): void {
  const { failAfter } = cluster.host(0).timingOn(lan);
  const tookUs = leaves(cluster, lan) ?? Number.POSITIVE_INFINITY;
  const most = detectionUs(failAfter, intervalUs) + slack;
  t.ok(tookUs <= most, `${tookUs} us, at most ${most}`);
  t.ok(tookUs >= (failAfter - 2) * intervalUs, `${tookUs} us: not by an older, shorter timing`);
  cluster.run(1 * seconds); // a responder's own verdict takes its own time
  t.same(unreachable(cluster), []);
}

t.test('each LAN is judged by its own timing', async (t) => {
  const lans = { [B]: { intervalUs: 100 * milliseconds, failAfter: 2 } };
  const cluster = started([{ lans }, { lans }, { lans }, responder]);
  cluster.run(2 * seconds);
  t.same(verdicts(cluster), []);
  const sent = cluster
    .host(0)
    .engine?.snapshot(cluster.nowUs)
    .lans.map((lan) => lan.sent);
  t.ok((sent?.[A] ?? 0) > 5 * (sent?.[B] ?? 0), `packets by LAN: ${sent}`);
  noticesWithin(t, cluster, A, 10 * milliseconds);
  cluster.heal();
  t.same(settle(cluster), []);
  noticesWithin(t, cluster, B, 100 * milliseconds);
});

t.test('each LAN is revalidated by its own count of good packets', async (t) => {
  const lans = { [B]: { restoreAfter: 40 } };
  const cluster = started([{ lans }, { lans }, responder]);
  const isUp = (lan: number) =>
    cluster.hosts.every((host) =>
      host.paths(cluster.nowUs).every((path) => path.lan !== lan || path.state === 'up'),
    );
  /** From the end of an outage until nobody has a path down. */
  const provenUs = (lan: number) => {
    cluster.cutLan(lan);
    cluster.run(200 * milliseconds);
    t.notOk(isUp(lan));
    cluster.healLan(lan);
    return cluster.runUntil(() => isUp(lan), 10 * seconds) ?? Number.POSITIVE_INFINITY;
  };
  const [onA, onB] = [provenUs(A), provenUs(B)];
  t.ok(Math.abs(onA - 100 * milliseconds) <= 30 * milliseconds, `ten packets: ${onA} us`);
  t.ok(Math.abs(onB - 400 * milliseconds) <= 30 * milliseconds, `forty packets: ${onB} us`);
});

for (const lossPerMille of [0, 700]) {
  t.test(`10 ms -> 100 ms -> 1 ms on every host, ${lossPerMille / 10} % lost`, async (t) => {
    const cluster = started([{}, {}, {}, responder]);
    loseMuch(cluster, lossPerMille);
    const rounds = [
      { intervalUs: 100 * milliseconds, lans: [A, B] },
      { intervalUs: 1 * milliseconds, lans: [A] },
      { intervalUs: 20 * milliseconds, lans: [B] },
      { intervalUs: 500 * milliseconds, lans: [A] },
      { intervalUs: 1 * milliseconds, lans: [B, A] },
    ];
    for (const { intervalUs, lans } of rounds) {
      for (const { number } of cluster.hosts) {
        for (const lan of lans) cluster.retime(number, lan, { intervalUs });
        cluster.run(37 * milliseconds);
      }
      cluster.run(8 * seconds);
      t.same(verdicts(cluster), [], `no verdict by ${intervalUs} us on ${lans}`);
    }
    loseMuch(cluster, 0);
    cluster.run(1 * seconds);
    noticesWithin(t, cluster, A, 1 * milliseconds);
  });
}

t.test('a longer interval is kept once it has been announced', async (t) => {
  const cluster = started([{}, {}]);
  const paceUs = () => cluster.host(0).engine?.snapshot(cluster.nowUs).lans[A]?.paceUs;
  cluster.retime(0, A, { intervalUs: 200 * milliseconds });
  cluster.run(80 * milliseconds);
  t.equal(paceUs(), 10 * milliseconds, 'eight packets are not enough');
  const heard = cluster
    .host(1)
    .paths(cluster.nowUs)
    .find(({ lan }) => lan === A);
  t.equal(heard?.intervalUs, 200 * milliseconds, 'but the peer waits that long already');
  cluster.run(30 * milliseconds);
  t.equal(paceUs(), 200 * milliseconds);
  cluster.retime(0, A, { intervalUs: 5 * milliseconds });
  t.equal(paceUs(), 5 * milliseconds, 'a shorter one at once');
  t.same(verdicts(cluster), []);
});

t.test('a peer that restarts in the midst of a change follows it', async (t) => {
  const cluster = started([{}, {}, {}]);
  cluster.retime(0, A, { intervalUs: 300 * milliseconds });
  cluster.run(50 * milliseconds);
  cluster.stop(1);
  cluster.run(100 * milliseconds);
  cluster.start(1);
  cluster.run(10 * seconds);
  t.same(verdicts(cluster), []);
  t.same(unreachable(cluster), []);
});

t.test('fewer missed packets: silence from before the change is no verdict', async (t) => {
  const cluster = started([{ failAfter: 50 }, {}]);
  for (const lan of [A, B]) cluster.retime(1, lan, { failAfter: 50 });
  cluster.setLink(A, 1, 0, { cut: true });
  cluster.run(200 * milliseconds);
  cluster.retime(0, A, { failAfter: 3 });
  cluster.run(29 * milliseconds);
  t.same(verdicts(cluster), [], 'twenty were missed before, two since');
  cluster.run(3 * milliseconds);
  t.match(verdicts(cluster), [/host 0: path-down on LAN 0 \(silent\)/]);
});

// Aim: what the drop-ins of packaging/ promise holds under the real systemd-networkd, and what they
// are there for is real: without them it removes faild's routes and rules in the midst of a
// failover, and a LAN's addresses with its carrier. `faild doctor` tells the one from the other.
import './in-arena.js';
import t, { type Test } from 'tap';
import { readManagers } from '../../lib/doctor/managers.js';
import { native } from '../../lib/engine/native.js';
import { unlessInstalled } from '../judges.js';
import { RouteMonitor, rules } from './kernel.js';
import { Lab } from './lab.js';
import { kNetworkd, Networkd } from './networkd.js';
import { nowUs } from './shell.js';

const skip = unlessInstalled(kNetworkd);

/** What is deleted shall be networkd's doing, not that of a path which a busy machine let down. */
const patient = { interval: 0.1, failAfter: 10, restoreAfter: 3 };

async function openLab(t: Test): Promise<{ lab: Lab; networkd: Networkd; monitor: RouteMonitor }> {
  const lab = await Lab.open(t, { hosts: 3, daemon: patient });
  const host = lab.topology.host(1);
  await lab.cuts.cut({ lan: 'a' });
  await lab.daemon(1).saw('lan-failover');
  await lab.goes('a', 'b');
  const networkd = await Networkd.prepare(t, lab, host);
  const monitor = await RouteMonitor.open(host);
  t.teardown(() => monitor.close());
  return { lab, networkd, monitor };
}

/** What the kernel has deleted so far: all of it, as what we do ourselves afterwards is seen. */
async function deleted(lab: Lab, { changes }: RouteMonitor): Promise<string[]> {
  const sinceUs = nowUs();
  const rule = ['priority', '4712', 'to', '192.0.2.1', 'lookup', 'main'];
  await lab.topology.host(1).run('ip', 'rule', 'add', ...rule);
  const ours = ({ text }: { text: string }) => text.startsWith('4712:');
  await changes.waitFor(ours, 'the rule of this test', 10_000, sinceUs);
  await lab.topology.host(1).run('ip', 'rule', 'delete', ...rule);
  // The other number is that of RouteMonitor.
  const fits = /^Deleted (?!471[12]:)/;
  return changes.all.map(({ text }) => text).filter((text) => fits.test(text));
}

/** What doctor makes of the files that networkd read. */
function judged({ host, root }: Networkd) {
  const interfaces = native.listInterfaces(`/run/netns/${host.netns}`);
  const lans = interfaces.filter((one) => one.interface.startsWith('lan'));
  return readManagers(
    lans.map((one) => ({ ...one, name: one.interface })),
    root,
  ).networkd;
}

const addressesOf = (lab: Lab, device: string) =>
  lab.topology.host(1).run('ip', '-br', 'address', 'show', 'dev', device);

t.test('as it comes: it removes what is not its own, and faild repairs it', { skip }, async (t) => {
  const { lab, networkd, monitor } = await openLab(t);
  const inForce = (await rules(lab.topology.host(1))).map(({ priority }) => priority).sort();
  const sinceUs = nowUs();
  await networkd.start();
  const gone = await deleted(lab, monitor);
  t.ok(
    gone.some((text) => / table 931101 proto 213 /.test(text)),
    'routes that carry LAN A',
  );
  for (const priority of [931, 932]) {
    t.ok(
      gone.some((text) => text.startsWith(`Deleted ${priority}:`)),
      `rule ${priority}`,
    );
  }
  await lab.daemon(1).saw('route-repaired', undefined, { sinceUs });
  await lab.until('every rule is back', async () => {
    const now = (await rules(lab.topology.host(1))).map(({ priority }) => priority).sort();
    return inForce.filter((priority, at) => now[at] !== priority).map(String);
  });
  await lab.goes('a', 'b', 20_000);

  await lab.topology.carrier(1, 'a', false);
  await lab.until(
    'the address goes with the carrier',
    async () => [await addressesOf(lab, 'lana')].filter((text) => text.includes('10.1.0.1')),
    20_000,
  );
  const all = ['lana', 'lanb'];
  const wild = { sparesRoutes: false, sparesRules: false };
  const found = { ...wild, dropsAddressesOf: all, remakesAddressesOf: all };
  t.same(judged(networkd), found, 'and doctor says so');
});

t.test('with the drop-ins of packaging/ it removes nothing', { skip }, async (t) => {
  const { lab, networkd, monitor } = await openLab(t);
  networkd.install('networkd.conf.d/faild.conf', 'networkd.conf.d');
  for (const lan of ['lana', 'lanb']) {
    networkd.install('network.d/faild.conf', `network/${lan}.network.d`);
  }
  const before = await addressesOf(lab, 'lana');
  await networkd.start();
  t.same(await deleted(lab, monitor), [], 'nothing at its start');
  await networkd.stop();
  await networkd.start();
  t.same(await deleted(lab, monitor), [], 'nothing when it is started again');
  const { status } = await lab.daemon(1).status();
  t.equal(status.counters.routeRepairs, 0, 'faild had nothing to repair');
  t.same(await lab.strays('a', 'b'), [], 'LAN A is failed over as before');

  await lab.topology.carrier(1, 'a', false);
  await networkd.says('CARRIER_STATE=no-carrier', ['a']);
  const after = await addressesOf(lab, 'lana');
  for (const address of ['10.1.0.1/24', 'fd00:1::1/64']) {
    t.ok(before.includes(address) && after.includes(address), `${address} outlasts the carrier`);
  }
  const tame = { sparesRoutes: true, sparesRules: true };
  const found = { ...tame, dropsAddressesOf: [], remakesAddressesOf: [] };
  t.same(judged(networkd), found, 'doctor has nothing to say');
});

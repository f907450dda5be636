// Has the cluster found back? Two questions that are asked when nothing has changed for
// `convergenceUs`: does everybody reach everybody whom any LAN connects, and - once everything is
// healed - is all as if nothing had ever happened?
import { lanName } from './addresses.js';
import type { Cluster } from './cluster.js';
import { convergenceUs } from './detector.js';
import type { Host } from './host.js';
import { unreachable } from './reach.js';

/** native/base/routes.h */
const exceptionsTable = 931100;

const lookEveryUs = 5000;

/** Why this healed cluster is not yet as it should be, in a few words a reason. */
export function unsettled(cluster: Cluster): string[] {
  const faults = cluster.hosts.flatMap((host) => unsettledHost(cluster, host));
  return [...faults, ...unreachable(cluster)];
}

/** Waits until the healed cluster is settled; what still is not after the bound. */
export function settle(cluster: Cluster): string[] {
  const settled = () => unsettled(cluster).length === 0;
  const endUs = cluster.nowUs + convergenceUs(cluster);
  while (!settled() && cluster.nowUs < endUs) cluster.run(lookEveryUs);
  return unsettled(cluster);
}

/** Waits as long as finding a way may take under these faults; who then does not reach whom. */
export function endure(cluster: Cluster): string[] {
  cluster.run(convergenceUs(cluster));
  return unreachable(cluster);
}

function unsettledHost(cluster: Cluster, host: Host): string[] {
  const me = `host ${host.number}`;
  const peers = cluster.hosts.filter((peer) => cluster.meet(host.number, peer.number));
  const rows = host.paths(cluster.nowUs);
  const faults = rows
    .filter(({ state, alternate }) => state !== 'up' || alternate !== null)
    .map(({ lan, host: peer, state }) => `${me}: path ${lanName(lan)} ${peer} is ${state}`);
  const missing = peers.length * cluster.lans.count - rows.length;
  if (missing > 0) faults.push(`${me}: ${missing} paths are not known`);
  return [...faults, ...unsettledKernel(cluster, host, peers)];
}

/** The rules of the exceptions and nothing behind them; every standby table full, and no rule. */
function unsettledKernel(cluster: Cluster, host: Host, peers: Host[]): string[] {
  const faults: string[] = [];
  let standbys = 0;
  for (const { what, table, destination } of host.kernel.entries) {
    if (what === 'route' && table !== exceptionsTable) standbys++;
    else if (what === 'route') faults.push(`host ${host.number}: an exception for ${destination}`);
    else if (table !== exceptionsTable) {
      faults.push(`host ${host.number}: the rule of ${destination} is in force`);
    }
  }
  const wanted = peers.flatMap((peer) => peer.interfaces.flatMap((_, lan) => peer.addresses(lan)));
  if (cluster.lans.count > 1 && standbys !== wanted.length) {
    faults.push(`host ${host.number}: ${standbys} standby routes of ${wanted.length}`);
  }
  return faults;
}

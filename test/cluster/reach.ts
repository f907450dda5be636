// Does a packet arrive? It is followed as the network would carry it: the sender's rules and tables
// as they are in its kernel (native/base/routes.h gives their order), every way of the route that
// they choose, the neighbour entry of the next hop, the LAN's true state, and at the far end who
// that is, and what a strict rp_filter says about where the packet came in.
import { lanName } from './addresses.js';
import type { Cluster } from './cluster.js';
import type { Host } from './host.js';
import type { Way } from './kernel.js';

/** What the hosts' kernels ask of a packet's source. Loose: any way back will do. */
export type RpFilter = 'strict' | 'loose';

/** Why a packet from host `from` to `address` does not arrive; undefined when it does. */
export function whyLost(
  cluster: Cluster,
  from: Host,
  address: string,
  rpFilter: RpFilter = 'strict',
): string | undefined {
  const route = from.kernel.lookup(address);
  if (route === undefined) return `host ${from.number} has no route to ${address}`;
  for (const way of route.ways) {
    const why =
      whyLostOn(cluster, from, way, address) ??
      (rpFilter === 'strict' ? whyFiltered(cluster, from, way, address, route.source) : undefined);
    if (why === undefined) continue;
    return `host ${from.number} to ${address} by table ${route.table}: ${why}`;
  }
  return undefined;
}

/** Every pair that has a LAN in common reaches each other on every address. Says who does not. */
export function unreachable(cluster: Cluster, rpFilter: RpFilter = 'strict'): string[] {
  const found: string[] = [];
  for (const { from, to } of pairsWithCommonLan(cluster)) {
    const addresses = from.interfaces.flatMap((_, lan) => to.addresses(lan));
    for (const address of addresses) {
      const why = whyLost(cluster, from, address, rpFilter);
      if (why !== undefined) found.push(why);
    }
  }
  return found;
}

/** Ordered pairs whose daemons run and know of each other, and that some LAN joins both ways. */
export function pairsWithCommonLan(cluster: Cluster): { from: Host; to: Host }[] {
  const lans = Array.from({ length: cluster.lans.count }, (_, lan) => lan);
  return cluster.hosts.flatMap((from) =>
    cluster.hosts
      .filter((to) => cluster.meet(from.number, to.number) && from.runs && to.runs)
      .filter((to) => lans.some((lan) => cluster.lans.live(lan, from.number, to.number)))
      .map((to) => ({ from, to })),
  );
}

function whyLostOn(cluster: Cluster, from: Host, way: Way, address: string) {
  const lan = from.lanOf(way.ifindex);
  if (lan === undefined) return `it has no interface ${way.ifindex}`;
  const hop = way.gateway ?? address;
  const next = cluster.hosts.find((host) => host.owns(hop, lan));
  if (next === undefined) return `nobody has ${hop} on LAN ${lanName(lan)}`;
  if (!cluster.lans.open(lan, from.number, next.number)) return `lost on LAN ${lanName(lan)}`;
  const why = whyNotTaken(cluster, from, next, lan, hop);
  if (why !== undefined) return why;
  return next.owns(address) ? undefined : `${hop} is host ${next.number}, which forwards nothing`;
}

/** Strict: the way back to the source must lead out where the packet came in. IPv4 alone. */
function whyFiltered(cluster: Cluster, from: Host, way: Way, address: string, source: string) {
  if (source.includes(':')) return undefined;
  const lan = from.lanOf(way.ifindex);
  const to = cluster.hosts.find((host) => host.owns(address));
  const back = to?.kernel.lookup(source)?.ways ?? [];
  if (back.some(({ ifindex }) => to?.lanOf(ifindex) === lan)) return undefined;
  return `host ${to?.number}'s rp_filter drops ${source} on LAN ${lanName(lan ?? -1)}`;
}

/** The frame needs the next hop's MAC address: from a neighbour entry, else by asking for it. */
function whyNotTaken(cluster: Cluster, from: Host, next: Host, lan: number, hop: string) {
  const known = from.kernel.neighbour(from.interfaces[lan]?.ifindex ?? 0, hop);
  if (known === undefined) {
    const answered = cluster.lans.live(lan, from.number, next.number);
    return answered ? undefined : `nobody answers for ${hop} on LAN ${lanName(lan)}`;
  }
  const mac = next.interfaces[lan]?.mac;
  return known === mac ? undefined : `the neighbour entry of ${hop} says ${known}, not ${mac}`;
}

// What a host's heartbeats do not show: that traffic takes another way than faild has decided, and
// that two hosts claim the same address. Pure; used by findings.ts.
import type { KernelLook, KernelRule } from '../cluster/kernel-routes.js';
import type { Status, StatusPeer } from '../cluster/status.js';
import type { NativeLan } from '../engine/native.js';

/** As much of a host's facts (findings.ts) as is looked at. */
interface Seen {
  status: Status | null;
  lans: readonly NativeLan[];
  ways: readonly KernelLook[];
  rules: readonly KernelRule[];
}

type Found = { severity: 'fault'; found: string; why: string; remedy: string }[];

/** So many are named; the others are counted. */
const named = 3;
/** The kernel is asked about so many: a wrong rule shows with a few peers. */
const looksAtMost = 32;

interface Way {
  address: string;
  peer: string;
  lan: string;
  interface: string;
}

/** The addresses whose way in the kernel is worth a look. */
export function addressesToAsk(status: Status | null): string[] {
  return (status === null ? [] : waysOf(status))
    .slice(0, looksAtMost)
    .map(({ address }) => address);
}

/** By which interface each peer's traffic is to leave, as far as a verdict says so. */
function waysOf({ lans, peers }: Status): Way[] {
  const interfaces = new Map(lans.map((lan) => [lan.name, lan.interface]));
  return peers.flatMap(({ name, paths }) =>
    paths
      .filter(({ state }) => state === 'up' || state === 'down')
      .flatMap(({ lan, via, addresses }) =>
        addresses.filter(isGlobal).map((address) => ({
          address: withoutLength(address),
          peer: name,
          lan: via ?? lan,
          interface: interfaces.get(via ?? lan) ?? '',
        })),
      ),
  );
}

export function strayingTraffic({ status, ways }: Seen): Found {
  const looks = new Map(ways.map((look) => [look.address, look]));
  const stray = (status === null ? [] : waysOf(status)).flatMap((way) => {
    const look = looks.get(way.address);
    return look === undefined || isAsDecided(look, way) ? [] : [{ ...way, takes: takenBy(look) }];
  });
  const [first] = stray;
  if (first === undefined) return [];
  const list = listed(
    stray.map(({ peer, address, takes, lan }) => `${address} (${peer}) ${takes}, not LAN ${lan}`),
  );
  return [
    {
      severity: 'fault',
      found: `traffic goes another way than faild has decided: ${list}`,
      why:
        "a rule in front of faild's (931 to 940), a route of somebody's, or a missing one of the LAN " +
        'decides instead; heartbeats do not show it, and no failover mends it',
      remedy: `\`ip route get ${first.address}\` and \`ip rule\` show what decides`,
    },
  ];
}

/** native/base/routes.h: kHeartbeatsPriority. */
const firstPriority = 930;
const mainTable = '254';

/** Before the first failover too, when all traffic still goes as it should. */
export function rulesInFront({ rules }: Seen): Found {
  const first = rules.find((rule) => rule.priority < firstPriority && takesAll(rule));
  if (first === undefined) return [];
  return [
    {
      severity: 'fault',
      found: `rule ${first.priority} sends all traffic to the main table before faild's rules (931 to 940)`,
      why: "the main table has a route to each LAN, so that faild's are never looked at: nothing fails over",
      remedy: 'give it a number above 940: `ip rule`',
    },
  ];
}

/** Whatever selects (an address, a mark, an interface) has further members, and is somebody's wish. */
const takesAll = ({ priority, src, table, protocol, ...more }: KernelRule): boolean =>
  src === 'all' && table === mainTable && Object.keys(more).length === 0;

const isAsDecided = ({ takes }: KernelLook, way: Way): boolean => takes?.device === way.interface;
const takenBy = ({ takes }: KernelLook): string =>
  takes === null ? 'has no way' : `leaves by ${takes.device}`;

export function claimedTwice({ status, lans }: Seen): Found {
  if (status === null) return [];
  const claims = [
    ...lans.flatMap(({ name, addresses, mac }) =>
      [...addresses.filter(isGlobal), mac].map((what) => claim(what, name, 'this host')),
    ),
    ...status.peers
      .filter(isAlive)
      .flatMap((peer) =>
        peer.paths.flatMap(({ lan, addresses, mac }) =>
          [...addresses.filter(isGlobal), mac].map((what) => claim(what, lan, peer.name)),
        ),
      ),
  ].filter(({ what }) => what !== '' && what !== '00:00:00:00:00:00');
  const byKey = new Map<string, typeof claims>();
  for (const one of claims) byKey.set(one.key, [...(byKey.get(one.key) ?? []), one]);
  const twice = [...byKey.values()].filter(
    (claimants) => new Set(claimants.map(({ by }) => by)).size > 1,
  );
  if (twice.length === 0) return [];
  const list = listed(
    twice.map((claimants) => {
      const by = [...new Set(claimants.map((one) => one.by))].join(' and ');
      return `${claimants[0]?.what} on LAN ${claimants[0]?.lan} is that of ${by}`;
    }),
  );
  return [
    {
      severity: 'fault',
      found: `addresses are claimed twice: ${list}`,
      why: 'traffic for them reaches the one or the other by chance, though heartbeats, which go to all, arrive',
      remedy: 'give each host an address, and each interface a MAC address, of its own',
    },
  ];
}

/** A machine that was installed anew has its former id's addresses, which nobody uses any more. */
const isAlive = ({ paths }: StatusPeer): boolean => paths.some(({ state }) => state === 'up');

const claim = (address: string, lan: string, by: string) => {
  const what = withoutLength(address);
  return { key: `${lan} ${what}`, what, lan, by };
};

const withoutLength = (address: string): string => address.split('/')[0] ?? address;
const isGlobal = (address: string): boolean => !/^(fe[89ab]|169\.254\.)/i.test(address);

function listed(items: readonly string[]): string {
  const more = items.length > named ? `; and ${items.length - named} more` : '';
  return `${items.slice(0, named).join('; ')}${more}`;
}

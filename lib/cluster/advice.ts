// Warnings about configurations that are right and still dangerous, each with its reason. Pure:
// machine.ts and the status say how things are. Used by check.ts, reload.ts, daemon.ts and
// findings.ts.

import { showDuration } from '../base/units.js';
import { type Config, timingOf } from '../config/config.js';
import type { NativeTiming } from '../engine/native.js';
import type { StatusPeer } from './status.js';

/** What is not known is left out, and not judged. */
export interface Surroundings {
  /** How late this machine's timers have been. */
  timerLatenessUs?: number;
  /** The reverse-path filter in force by interface; those of the LANs. */
  rpFilters?: ReadonlyMap<string, number>;
  /** The transport that is or will be in use. */
  transport?: 'raw' | 'udp';
  /** The highest SCHED_FIFO priority that may be asked for. */
  realtimeLimit?: number;
  peers?: readonly StatusPeer[];
}

/** Names in a line end here. */
const maxListed = 5;

/** The kernel's RPF_STRICT. */
const strict = 1;

export interface Advice {
  about: 'timers' | 'rp_filter' | 'realtime' | 'peers';
  /** What is so, why it matters, and what to do: three parts that `line` makes a sentence of. */
  found: string;
  why: string;
  remedy: string;
  line: string;
}

type Parts = Pick<Advice, 'found' | 'why' | 'remedy'>;

export function adviseOn(config: Config, around: Surroundings): Advice[] {
  const all: Record<Advice['about'], Parts | null> = {
    timers: shorterThanTimers(config, around),
    rp_filter: strictFilter(around),
    realtime: realtimeRefused(config, around),
    peers: shorterThanPeers(config, around),
  };
  return Object.entries(all).flatMap(([about, parts]) => {
    if (parts === null) return [];
    const line = `${parts.found}: ${parts.why}; ${parts.remedy}`;
    return [{ about: about as Advice['about'], ...parts, line }];
  });
}

/**
 * A peer may be late by all but one of the packets that may be missed; a timer that is later makes
 * a healthy host look dead. Of the LANs counts the one with the least to spare.
 */
function shorterThanTimers(config: Config, { timerLatenessUs }: Surroundings): Parts | null {
  const spare = ({ intervalUs, failAfter }: NativeTiming) =>
    Math.max(failAfter - 1, 0.5) * intervalUs;
  const [tightest] = timings(config).sort((a, b) => spare(a) - spare(b));
  if (timerLatenessUs === undefined || tightest === undefined) return null;
  if (timerLatenessUs <= spare(tightest)) return null;
  const { intervalUs, failAfter, where } = tightest;
  return {
    found:
      `a path${where} is invalidated after ${showDuration(failAfter * intervalUs)} (interval ` +
      `${showDuration(intervalUs)}, fail-after ${failAfter}), but timers of this machine have ` +
      `just been ${showDuration(timerLatenessUs)} late at ordinary priority`,
    why: 'such a pause looks like a dead host to its peers',
    remedy: 'raise interval or fail-after',
  };
}

function strictFilter({ transport, rpFilters }: Surroundings): Parts | null {
  const filtering = [...(rpFilters ?? [])].filter(([, mode]) => mode === strict);
  if (transport !== 'udp' || filtering.length === 0) return null;
  const names = filtering.map(([name]) => name).join(', ');
  return {
    found: `strict rp_filter on ${names} with the udp transport`,
    why:
      'of a LAN that traffic has left the kernel drops what still arrives there: heartbeats get ' +
      "through by a rule of faild's alone, and some packets are lost when traffic returns",
    remedy: 'set net.ipv4.conf.*.rp_filter to 2, or use the raw transport',
  };
}

function realtimeRefused(config: Config, { realtimeLimit }: Surroundings): Parts | null {
  const wanted = config.realtimePriority;
  if (realtimeLimit === undefined || wanted <= realtimeLimit) return null;
  return {
    found: `realtime-priority ${wanted} is refused to this user, who may have ${realtimeLimit || 'none'}`,
    why: 'on a busy machine faild is late and its peers see a fault',
    remedy: 'grant CAP_SYS_NICE or LimitRTPRIO, or run it as root',
  };
}

/** Each host is judged by its own interval: a shorter one of ours finds no death sooner. */
function shorterThanPeers(config: Config, { peers = [] }: Surroundings): Parts | null {
  if (!config.requestor) return null;
  const slower = peers.flatMap(({ name, requestor, paths }) => {
    const [slowest] = paths
      .filter(({ lan, intervalUs }) => requestor && intervalUs > timingOf(config, lan).intervalUs)
      .sort((a, b) => b.intervalUs - a.intervalUs);
    return slowest === undefined ? [] : [{ name, ...slowest }];
  });
  const [first] = slower;
  if (first === undefined) return null;
  const listed = slower
    .slice(0, maxListed)
    .map(({ name, intervalUs }) => `${name} ${showDuration(intervalUs)}`)
    .join(', ');
  const more = slower.length > maxListed ? ` and ${slower.length - maxListed} more` : '';
  const { intervalUs } = timingOf(config, first.lan);
  const where = hasOwn(config, first.lan) ? ` on LAN ${first.lan}` : '';
  return {
    found:
      `interval ${showDuration(intervalUs)}${where} is below that of peers ` + `(${listed}${more})`,
    why: 'their deaths are noticed at their pace, not at ours',
    remedy: 'give every host the same interval',
  };
}

/** The host's timing, unless every named LAN has its own, and those of such LANs. */
function timings(config: Config): (NativeTiming & { where: string })[] {
  const own = config.lans.filter(({ name }) => hasOwn(config, name));
  const { intervalUs, failAfter, restoreAfter } = config;
  const hosts = { intervalUs, failAfter, restoreAfter, where: '' };
  const all = own.map(({ name }) => ({ ...timingOf(config, name), where: ` on LAN ${name}` }));
  return own.length > 0 && own.length === config.lans.length ? all : [hosts, ...all];
}

function hasOwn(config: Config, lan: string): boolean {
  const choice = config.lans.find(({ name }) => name === lan);
  return choice?.interval !== undefined || choice?.failAfter !== undefined;
}

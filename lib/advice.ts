// Warnings about configurations that are right and still dangerous, each with its reason. Pure:
// machine.ts and the status say how things are. Used by check.ts, reload.ts and daemon.ts.
import type { Config } from './config.js';
import type { StatusPeer } from './status.js';
import { showDuration } from './units.js';

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
  line: string;
}

export function adviseOn(config: Config, around: Surroundings): Advice[] {
  const lines: Record<Advice['about'], string | null> = {
    timers: shorterThanTimers(config, around),
    rp_filter: strictFilter(around),
    realtime: realtimeRefused(config, around),
    peers: shorterThanPeers(config, around),
  };
  return Object.entries(lines).flatMap(([about, line]) =>
    line === null ? [] : [{ about: about as Advice['about'], line }],
  );
}

/**
 * A peer may be late by all but one of the packets that may be missed; a timer that is later makes
 * a healthy host look dead.
 */
function shorterThanTimers(config: Config, { timerLatenessUs }: Surroundings): string | null {
  const { intervalUs, failAfter } = config;
  const spareUs = Math.max(failAfter - 1, 0.5) * intervalUs;
  if (timerLatenessUs === undefined || timerLatenessUs <= spareUs) return null;
  return (
    `a path is invalidated after ${showDuration(failAfter * intervalUs)} (interval ` +
    `${showDuration(intervalUs)}, fail-after ${failAfter}), but timers of this machine have just ` +
    `been ${showDuration(timerLatenessUs)} late at ordinary priority: such a pause looks like a ` +
    'dead host to its peers; raise interval or fail-after'
  );
}

function strictFilter({ transport, rpFilters }: Surroundings): string | null {
  const filtering = [...(rpFilters ?? [])].filter(([, mode]) => mode === strict);
  if (transport !== 'udp' || filtering.length === 0) return null;
  const names = filtering.map(([name]) => name).join(', ');
  return (
    `strict rp_filter on ${names} with the udp transport: while traffic is away from a LAN the ` +
    'kernel drops what still arrives there, and faild can never see it heal; set ' +
    'net.ipv4.conf.*.rp_filter to 2, or use the raw transport'
  );
}

function realtimeRefused(config: Config, { realtimeLimit }: Surroundings): string | null {
  const wanted = config.realtimePriority;
  if (realtimeLimit === undefined || wanted <= realtimeLimit) return null;
  return (
    `realtime-priority ${wanted} is refused to this user, who may have ${realtimeLimit || 'none'}: ` +
    'on a busy machine faild is late and its peers see a fault; grant CAP_SYS_NICE or ' +
    'LimitRTPRIO, or run it as root'
  );
}

/** Each host is judged by its own interval: a shorter one of ours finds no death sooner. */
function shorterThanPeers(config: Config, { peers = [] }: Surroundings): string | null {
  if (!config.requestor) return null;
  const slower = peers.flatMap(({ name, requestor, paths }) => {
    const theirs = Math.max(...paths.map(({ intervalUs }) => intervalUs));
    return requestor && theirs > config.intervalUs ? [`${name} ${showDuration(theirs)}`] : [];
  });
  if (slower.length === 0) return null;
  const listed = slower.slice(0, maxListed).join(', ');
  const more = slower.length > maxListed ? ` and ${slower.length - maxListed} more` : '';
  return (
    `interval ${showDuration(config.intervalUs)} is below that of peers (${listed}${more}): their ` +
    'deaths are noticed at their pace, not at ours; give every host the same interval'
  );
}

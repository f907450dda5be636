// faild's numbers for Prometheus (`GET /metrics`, text format 0.0.4). What the engine counts is read
// from its tables at each scrape, its histograms as well; what happened and how long it took is
// taken from the events as they come. Owned by daemon.ts, which shows it every event and every
// lateness of its own timer.
//
// Names follow Prometheus' rules: base units (seconds, ratios of 0 to 1), `_total` for what only
// grows. Series of single peers are off unless configured: a thousand hosts on two LANs would be
// more than ten thousand of them at each host.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { FaildEvent } from '../cluster/events.js';
import type { Measured } from '../cluster/faild.js';
import type { Status, StatusPath, StatusPeer } from '../cluster/status.js';
import { eventKinds } from '../config/event-kinds.js';
import type { NativeHistogram, NativeHistograms } from '../engine/histograms.js';

/** From a tenth of a millisecond, below which nothing is detected, to the patience of a user. */
const secondsBuckets = [
  0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10,
];
/** From the quickest answer of a kernel. */
const applyBuckets = [0.00001, 0.00002, 0.00005, ...secondsBuckets.slice(0, 12)];
/** From the resolution of Node's timers. */
const lagBuckets = secondsBuckets.slice(3);

const pathStates = ['up', 'down', 'unknown', 'stopped'] as const;

/** The engine's counters that are no drops: name, meaning, and its name in the status. */
const engineCounters = [
  ['packets_received', 'Heartbeats received.', 'packetsReceived'],
  ['packets_sent', 'Heartbeats sent.', 'packetsSent'],
  ['acks_sent', 'Of these, answers to inquiries.', 'acksSent'],
  ['solicits_sent', 'Of these, questions to single peers out of turn.', 'solicitsSent'],
  ['verdicts_down', 'Paths judged down.', 'verdictsDown'],
  ['verdicts_up', 'Paths judged up.', 'verdictsUp'],
  ['path_failovers', 'Times that a path was given another LAN.', 'failovers'],
  ['path_switchbacks', 'Times that a path got its own LAN back.', 'switchbacks'],
  ['lan_failovers', 'Times that a whole LAN was moved by one rule.', 'lanFailovers'],
  ['route_operations', 'Changes asked of the kernel.', 'routeOps'],
  ['route_errors', 'Changes that the kernel refused.', 'routeErrors'],
  ['route_repairs', 'Entries put back that something else had deleted.', 'routeRepairs'],
  ['resyncs', "Times that the kernel's tables were read anew.", 'resyncs'],
  ['stalls', "Times that the engine's thread ran late and judged nobody.", 'stalls'],
  ['receive_drops', 'Packets that the kernel dropped unread.', 'receiveDrops'],
  [
    'sends_deferred',
    'Packets that waited for their turn, so many were due at once.',
    'sendsDeferred',
  ],
  ['send_errors', 'Packets that the kernel did not send.', 'sendErrors'],
  ['events_dropped', 'Events that came too fast to be told.', 'eventsLost'],
] as const;

export class Metrics {
  /** Series of single peers. */
  perPeer: boolean;

  readonly #events = new Registry();
  readonly #told: Counter;
  readonly #failovers: Counter;
  readonly #detection: Histogram;
  readonly #apply: Histogram;
  readonly #stall: Histogram;
  readonly #lag: Histogram;

  constructor({ perPeer }: { perPeer: boolean }) {
    this.perPeer = perPeer;
    const registers = [this.#events];
    this.#told = new Counter({
      name: 'faild_events_total',
      help: 'Events told, by kind.',
      labelNames: ['kind'],
      registers,
    });
    this.#failovers = new Counter({
      name: 'faild_failovers_total',
      help: "Failovers that the kernel has taken, by reason and by scope (a single path's or a LAN's).",
      labelNames: ['scope', 'reason'],
      registers,
    });
    this.#detection = new Histogram({
      name: 'faild_detection_seconds',
      help: 'From the last packet heard to the verdict, of failovers that were not commanded.',
      buckets: secondsBuckets,
      registers,
    });
    this.#apply = new Histogram({
      name: 'faild_apply_seconds',
      help: "From the verdict to the kernel's acknowledgment of the route change.",
      buckets: applyBuckets,
      registers,
    });
    this.#stall = new Histogram({
      name: 'faild_stall_seconds',
      help: "How late the engine's thread ran when it judged nobody; the worst of each report.",
      buckets: secondsBuckets,
      registers,
    });
    this.#lag = new Histogram({
      name: 'faild_event_loop_lag_seconds',
      help: "How late a timer of Node's event loop ran, as sampled every 2 s; failover needs none.",
      buckets: lagBuckets,
      registers,
    });
    // From zero on: Prometheus sees no increase in a series that begins with its first event.
    for (const kind of eventKinds) this.#told.inc({ kind }, 0);
  }

  /** As it happens: an event that is lost is not in the histograms, but in `events_dropped`. */
  note(event: FaildEvent): void {
    this.#told.inc({ kind: event.kind });
    if (event.kind === 'stalled') this.#stall.observe(event.lateUs / 1e6);
    if (event.kind !== 'failover' && event.kind !== 'lan-failover') return;
    const scope = event.kind === 'failover' ? 'path' : 'lan';
    this.#failovers.inc({ scope, reason: event.reason });
    this.#apply.observe(event.applyUs / 1e6);
    if (event.reason !== 'operator') this.#detection.observe(event.detectUs / 1e6);
  }

  /** The daemon's timer ran so much later than it was due. */
  noteLag(us: number): void {
    this.#lag.observe(us / 1e6);
  }

  async text({ status, histograms }: Measured): Promise<string> {
    const now = new Registry();
    describeEngine(new Writer(now), status);
    describeHistograms(new Writer(now), histograms);
    describeReach(new Writer(now), status);
    describeLans(new Writer(now), status);
    if (this.perPeer) for (const peer of status.peers) describePeer(new Writer(now), peer);
    return `${await now.metrics()}${await this.#events.metrics()}`;
  }
}

type Labels = Record<string, string>;

/** Series of one scrape: each name is registered when it is first written. */
class Writer {
  constructor(private readonly registry: Registry) {}

  gauge(name: string, help: string, value: number, labels: Labels = {}): void {
    const known = this.registry.getSingleMetric(`faild_${name}`) as Gauge | undefined;
    const metric = known ?? new Gauge(this.#options(name, help, labels));
    metric.set(labels, value);
  }

  counter(name: string, help: string, value: number, labels: Labels = {}): void {
    const full = `${name}_total`;
    const known = this.registry.getSingleMetric(`faild_${full}`) as Counter | undefined;
    const metric = known ?? new Counter(this.#options(full, help, labels));
    metric.inc(labels, value);
  }

  histogram(name: string, help: string, counted: NativeHistogram): void {
    const metric = countedHistogram(`faild_${name}`, help, counted);
    this.registry.registerMetric(metric as unknown as Histogram);
  }

  #options(name: string, help: string, labels: Labels) {
    const registers = [this.registry];
    return { name: `faild_${name}`, help, labelNames: Object.keys(labels), registers };
  }
}

/** A histogram that somebody else has counted: as much of a metric as the registry asks for. */
function countedHistogram(name: string, help: string, counted: NativeHistogram) {
  const { boundsUs, counts, sumUs } = counted;
  let count = 0;
  const buckets = counts.map((more, at) => {
    const boundUs = boundsUs[at];
    count += more;
    const le = boundUs === undefined ? '+Inf' : boundUs / 1e6;
    return { metricName: `${name}_bucket`, labels: { le }, value: count };
  });
  const sum = { metricName: `${name}_sum`, labels: {}, value: sumUs / 1e6 };
  const all = { metricName: `${name}_count`, labels: {}, value: count };
  const values = [...buckets, sum, all];
  return { name, get: async () => ({ name, help, type: 'histogram', values }) };
}

function describeHistograms(write: Writer, of: NativeHistograms): void {
  write.histogram(
    'timer_lateness_seconds',
    "How late the engine's thread ran, of every wait that reached its time.",
    of.timerLateness,
  );
  write.histogram(
    'netlink_round_trip_seconds',
    'From a batch of route changes asked of the kernel to its last answer; 128 changes at most.',
    of.netlinkRoundTrip,
  );
}

function describeEngine(write: Writer, status: Status): void {
  const { version, host, transport, scheduling, engine, ageUs, peers, counters } = status;
  write.gauge('info', 'Always 1; what runs here is in the labels.', 1, {
    version,
    host: host.name,
    host_id: host.id,
    transport,
    scheduling: scheduling.mode,
  });
  write.gauge('engine_alive', "1: the engine's thread makes progress.", engine.alive ? 1 : 0);
  write.gauge('snapshot_age_seconds', 'Age of what the engine says here.', ageUs / 1e6);
  write.gauge('host_drained', '1: drained by the operator.', host.drained ? 1 : 0);
  write.gauge('peers', 'Hosts known.', peers.length);
  const drained = peers.filter((peer) => peer.drained).length;
  write.gauge('peers_drained', 'Hosts whose silence would be planned.', drained);
  for (const [name, help, key] of engineCounters) {
    write.counter(name, help, counters[key] ?? 0);
  }
  const late = 'of wake-ups so late that nobody was judged.';
  write.counter('lateness_seconds', `Lateness ${late}`, (counters.lateTotalUs ?? 0) / 1e6);
  write.gauge(
    'lateness_max_seconds',
    `The worst lateness ${late}`,
    (counters.lateMaxUs ?? 0) / 1e6,
  );
  for (const [reason, count] of Object.entries(status.drops)) {
    write.counter('dropped_packets', 'Heartbeats refused, by reason.', count, { reason });
  }
  for (const [reason, count] of Object.entries(status.decodeErrors)) {
    write.counter('malformed_packets', 'Heartbeats that were none, by fault.', count, { reason });
  }
  for (const [reason, count] of Object.entries(status.frameErrors)) {
    write.counter('refused_frames', 'Frames that held no heartbeat, by reason.', count, { reason });
  }
}

/** Who can be reached now, and who still could after one more failure. */
function describeReach(write: Writer, { peers, alternates }: Status): void {
  const paths = peers.flatMap((peer) => peer.paths);
  const alone = paths.filter(
    ({ state, via, standby }) => state === 'up' && via === null && standby === null,
  );
  const isDown = (peer: StatusPeer) =>
    peer.paths.some(({ state }) => state === 'down') &&
    !peer.paths.some(({ state }) => state === 'up');
  write.gauge('paths_moved', 'Paths whose traffic takes another LAN now.', alternates.length);
  write.gauge('paths_without_standby', 'Paths that no other LAN could replace.', alone.length);
  write.gauge('peers_down', 'Hosts that no LAN reaches.', peers.filter(isDown).length);
}

function describeLans(write: Writer, { lans, peers }: Status): void {
  const counts = new Map<string, number>();
  for (const { lan, state } of peers.flatMap(({ paths }) => paths)) {
    counts.set(`${lan}/${state}`, (counts.get(`${lan}/${state}`) ?? 0) + 1);
  }
  for (const { name: lan, state, carrier, moved, drained } of lans) {
    for (const each of pathStates) {
      const count = counts.get(`${lan}/${each}`) ?? 0;
      write.gauge('paths', 'Paths by LAN and state.', count, { lan, state: each });
    }
    write.gauge('lan_up', '1: a peer is heard on it.', state === 'up' ? 1 : 0, { lan });
    write.gauge('lan_carrier', '1: our interface has a carrier.', carrier ? 1 : 0, { lan });
    write.gauge('lan_moved', '1: all its traffic is moved by one rule.', moved ? 1 : 0, { lan });
    write.gauge('lan_drained', '1: drained by the operator.', drained ? 1 : 0, { lan });
  }
}

function describePeer(write: Writer, { id, name, paths }: StatusPeer): void {
  for (const path of paths) describePath(write, path, { peer: name, peer_id: id, lan: path.lan });
}

function describePath(write: Writer, path: StatusPath, labels: Labels): void {
  const { state, via, lastHeardUs, roundTripUs, loss, failovers, received, lost } = path;
  write.gauge('path_up', '1: up in both directions.', state === 'up' ? 1 : 0, labels);
  write.gauge('path_moved', '1: its traffic takes another LAN.', via === null ? 0 : 1, labels);
  write.gauge('path_loss_ratio', 'Share of packets lost of late.', loss, labels);
  if (lastHeardUs !== null) {
    write.gauge('path_silence_seconds', 'Since the last packet.', lastHeardUs / 1e6, labels);
  }
  if (roundTripUs !== null) {
    write.gauge('path_round_trip_seconds', 'Smoothed round trip.', roundTripUs / 1e6, labels);
  }
  write.counter('peer_failovers', 'Times that this path was left.', failovers, labels);
  write.counter('peer_packets_received', 'Packets heard of it.', received, labels);
  write.counter('peer_packets_lost', 'Packets lost by gaps in its sequence.', lost, labels);
}

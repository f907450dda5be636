// The daemon: one Faild with a log, a control socket and signals around it. Called by cli.ts for
// `faild` itself.
import { join } from 'node:path';
import { ConfigFaults, messageOf, showFault } from '../base/errors.js';
import { showDuration } from '../base/units.js';
import { adviseOn, type Surroundings } from '../cluster/advice.js';
import { Faild } from '../cluster/faild.js';
import type { HostDrainAnswer } from '../cluster/host-drain.js';
import { namespaceId } from '../cluster/kernel-routes.js';
import type { MoveAnswer } from '../cluster/moves.js';
import { followProbes } from '../cluster/probes-live.js';
import type { EventStream } from '../cluster/reader-queue.js';
import { sampleRoundTrips } from '../cluster/round-trips.js';
import type { Status } from '../cluster/status.js';
import { type DaemonConfig, type DaemonOptions, readSettings, toConfig } from '../config/config.js';
import { loadOptions } from '../config/config-file.js';
import { type Reloaded, Reloader, showChange } from '../control/reload.js';
import type { ControlTarget } from '../control/routes.js';
import { type Control, openControl } from '../control/server.js';
import { readRpFilters } from '../engine/machine.js';
import { native } from '../engine/native.js';
import { History, precede } from '../journal/history.js';
import { Hooks } from '../journal/hooks.js';
import { type Log, openLog } from '../journal/log.js';
import { Metrics } from '../metrics/metrics.js';
import { serveMetrics } from '../metrics/metrics-server.js';
import { describeHostDrain, describeMove } from '../text/moves.js';
import { renderSummary } from '../text/status.js';
import { Service, type Watched } from './service.js';

/** A list in a log line ends here; `faild status` has the whole. */
const maxListed = 5;

/** The exit status where the engine's thread does not answer, as the commands have it. */
const hungStatus = 4;

/** From the first new peer to the look at all of them. */
const settleMs = 2000;

/**
 * Runs until a signal asks it to stop; resolves when all is down. Throws what keeps it from
 * starting.
 */
export async function runDaemon(flags: DaemonOptions): Promise<void> {
  const values = readSettings(loadOptions(flags).options);
  const config = toConfig(values);
  const log = await openLog(config.logFile, config.hostName);
  const service = new Service(process.env, log);
  // First of all, because it is the lock: nothing else is touched while another daemon lives.
  const control = await openControl(config.socket);
  const hooks = new Hooks(log);
  // Before the engine: starting a process is the cheaper the less there is to copy.
  hooks.use(config.hooks);
  const faild = await Faild.launch(config).catch(async (error: unknown) => {
    await control.close();
    throw error;
  });
  // Before anything is awaited: a reader is told what comes after it, such as what was adopted.
  const events = faild.events();
  const metrics = new Metrics({ perPeer: config.metricsPerPeer });
  const scraped = await serveMetrics(config.metricsListen, async () =>
    metrics.text(await faild.measured()),
  ).catch(async (error: unknown) => {
    await control.close();
    await faild.stop();
    throw error;
  });
  const history = openHistory(config, log);
  const reloader = new Reloader(flags, values, {
    reconfigure: async (next) => {
      await faild.reconfigure(next);
      metrics.perPeer = next.metricsPerPeer;
      hooks.use(next.hooks);
    },
    surroundings: () => surroundingsOf(faild),
  });
  const reload = () => service.reloading(() => reloadAndSay(reloader, log));
  const signal = stopSignal(log, config, reload);
  const adviser = new Adviser(faild, log);
  const logging = tellEvents(faild, events, { log, adviser, metrics, service, history, hooks });
  control.attach(controlled(faild, { config, log, metrics, history, reload }));
  sayStarted(faild, log, config);
  service.ready();
  service.watch(watchedOf(faild), (us) => metrics.noteLag(us));
  adviser.lookSoon();
  const asked = await signal;
  service.stopping();
  log.info(`stopping: ${asked}`);
  adviser.stop();
  await scraped.close();
  const stopped = await stop(faild, control, log);
  await logging;
  hooks.close();
  const written = (await history?.close()) ?? true;
  if (stopped) log.info('stopped');
  log.close();
  if (!stopped) native.endProcess(hungStatus);
  // Nothing is left to do, but Node would wait for the thread that waits for the disk.
  if (!written) process.kill(process.pid, 'SIGKILL');
}

function openHistory({ historyBytes, stateDir }: DaemonConfig, log: Log): History | undefined {
  if (historyBytes === null) return undefined;
  return new History(join(stateDir, 'history'), historyBytes, (line) => log.warn(line));
}

interface Around {
  config: DaemonConfig;
  log: Log;
  metrics: Metrics;
  history: History | undefined;
  reload: ControlTarget['reload'];
}

/** What is asked over the sockets, of whom. */
function controlled(
  faild: Faild,
  { config, log, metrics, history, reload }: Around,
): ControlTarget {
  const { networkNamespace } = config;
  const recent: Faild['recentEvents'] = (options) => faild.recentEvents(options);
  const network = { networkNamespace, namespaceId: namespaceId(networkNamespace ?? undefined) };
  return {
    status: () => faild.status(),
    events: ({ since }) => {
      const stream = faild.events({ since });
      if (history === undefined || since === undefined) return stream;
      return precede(history.past(recent, since), stream);
    },
    recentEvents: async ({ since }) => (await history?.recent(recent, since)) ?? recent({ since }),
    explainFacts: () => network,
    probes: (query) => faild.probes(query),
    followProbes: (scope, gone) => followProbes(faild, scope, gone),
    roundTrips: (peer, lan) => sampleRoundTrips(faild, peer, lan),
    metrics: async () => await metrics.text(await faild.measured()),
    reload,
    failover: (scope) => saying(faild.failover(scope), log),
    switchback: (scope) => saying(faild.switchback(scope), log),
    drain: (lan) => saying(faild.drain(lan), log),
    undrain: (lan) => saying(faild.undrain(lan), log),
    drainHost: () => sayingHost(faild.drainHost(), log),
    undrainHost: () => sayingHost(faild.undrainHost(), log),
    cut: (order) => faild.cut(order),
    heal: (lan) => faild.heal(lan),
  };
}

/** What the operator does is in the log beside what comes of it. */
async function saying(moving: Promise<MoveAnswer>, log: Log): Promise<MoveAnswer> {
  const answer = await moving;
  const { action, lan, peer, paths, away } = answer;
  log.info(`on command: ${describeMove(answer)}`, { action, lan, peer, paths, away });
  return answer;
}

async function sayingHost(draining: Promise<HostDrainAnswer>, log: Log): Promise<HostDrainAnswer> {
  const answer = await draining;
  const { action, peers, untold } = answer;
  log.info(`on command: ${describeHostDrain(answer)}`, { action, peers, untold });
  return answer;
}

/** False: the engine's thread hangs, so that this process can end only by force. */
async function stop(faild: Faild, control: Control, log: Log): Promise<boolean> {
  const last = await faild.status().catch(() => undefined);
  await control.close();
  try {
    await faild.stop();
  } catch (error) {
    log.error(
      `not stopped cleanly: ${messageOf(error)}; without a goodbye to the peers, and all routes ` +
        'stay as they are for the next start',
    );
    return false;
  }
  if (last !== undefined) sayWhatStays(last, log);
  return true;
}

function watchedOf(faild: Faild): Watched {
  return {
    get rounds() {
      return faild.rounds;
    },
    nudge: () => faild.nudge(),
    describe: async () => renderSummary(await faild.status()),
  };
}

/** Whoever asked gets the answer; the log gets it as well. */
async function reloadAndSay(reloader: Reloader, log: Log): Promise<Reloaded> {
  try {
    const answer = await reloader.reload();
    sayReloaded(answer, log);
    return answer;
  } catch (error) {
    const faults = error instanceof ConfigFaults ? error.faults.map(showFault) : [messageOf(error)];
    for (const fault of faults) log.error(`not reloaded: ${fault}`);
    throw error;
  }
}

function sayReloaded({ file, changes, warnings }: Reloaded, log: Log): void {
  const what = changes.length === 0 ? 'nothing has changed' : changes.map(showChange).join('; ');
  log.info(`reloaded ${file ?? 'without a file'}: ${what}`, { changes });
  for (const warning of warnings) log.warn(warning);
}

/** As the running engine knows them. */
async function surroundingsOf(faild: Faild): Promise<Surroundings> {
  const { config, engine } = faild.facts;
  const filters = readRpFilters(faild.lans.map((lan) => lan.interface));
  return {
    transport: engine.transport,
    peers: (await faild.status()).peers,
    ...(config.networkNamespace === null && { rpFilters: filters }),
  };
}

interface Listeners {
  log: Log;
  adviser: Adviser;
  metrics: Metrics;
  service: Service;
  history: History | undefined;
  hooks: Hooks;
}

async function tellEvents(faild: Faild, events: EventStream, listeners: Listeners): Promise<void> {
  const { log, adviser, metrics, service, history, hooks } = listeners;
  for await (const event of events) {
    log.event(event);
    if (event.kind === 'route-failed') await sayRefusal(faild, log);
    metrics.note(event);
    history?.note(event);
    hooks.note(event);
    service.changed();
    if (event.kind === 'peer-found') adviser.lookSoon();
  }
}

/** The event has room for an error's number only. */
async function sayRefusal(faild: Faild, log: Log): Promise<void> {
  const { lastRefusal } = await faild.status().catch(() => ({ lastRefusal: null }));
  if (lastRefusal !== null) log.error(`the kernel says of ${lastRefusal}`);
}

/** Warns of what is unwise about the configuration in force, once of each matter. */
class Adviser {
  readonly #said = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly faild: Faild,
    private readonly log: Log,
  ) {}

  /** Peers come in crowds: it looks when they have settled. */
  lookSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#look().catch(() => undefined); // a hint only: the engine's trouble is told elsewhere
    }, settleMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const around = await surroundingsOf(this.faild);
    for (const { about, line } of adviseOn(this.faild.facts.config, around)) {
      if (!this.#said.has(about)) this.log.warn(line);
      this.#said.add(about);
    }
  }
}

/**
 * The first signal stops cleanly, a second one at once (routes then stay for the next start to
 * adopt).
 */
function stopSignal(
  log: Log,
  config: DaemonConfig,
  reload: () => Promise<unknown>,
): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let stopping = false;
    const onSignal = (signal: NodeJS.Signals, number: number): void => {
      if (stopping) native.endProcess(128 + number);
      stopping = true;
      resolve(signal);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
    process.on('SIGHUP', (signal: NodeJS.Signals, number: number) => {
      // From a closing terminal it means the end; from logrotate or a service manager, a new log
      // file and a look at the configuration.
      if (config.logFile === null && process.stdout.isTTY) return onSignal(signal, number);
      if (log.reopen()) log.info('log reopened');
      reload().catch(() => undefined); // it is in the log
    });
  });
}

function sayStarted({ facts, lans, warnings }: Faild, log: Log, config: DaemonConfig): void {
  const { version, identity, engine } = facts;
  const role = config.requestor
    ? `requestor every ${showDuration(config.intervalUs)}`
    : 'responder only (without -r it asks nobody)';
  const where = lans.map((lan) =>
    `${lan.name} = ${lan.interface} ${lan.addresses[0] ?? ''}`.trim(),
  );
  const scheduling = engine.realtime
    ? `SCHED_FIFO ${config.realtimePriority}`
    : 'ordinary scheduling';
  log.info(
    `faild ${version} started: ${config.hostName} (${identity.host}), ${role}; ` +
      `LANs ${where.join(', ')}; ${engine.transport} transport on port ${config.port}, ` +
      `${scheduling}`,
    { version, hostId: identity.host, incarnation: identity.incarnation, lans, ...engine },
  );
  for (const warning of warnings) log.warn(warning);
  if (engine.transportHint !== '') log.warn(engine.transportHint);
  if (!engine.realtime && config.realtimePriority > 0) log.warn(engine.realtimeHint);
  if (!engine.memoryLocked) log.warn(engine.lockHint);
}

function sayWhatStays({ alternates }: Status, log: Log): void {
  if (alternates.length === 0) return;
  const listed = alternates
    .slice(0, maxListed)
    .map(({ peer, lan, via }) => `${peer.name} on LAN ${lan} -> LAN ${via}`);
  const more = alternates.length > maxListed ? ` and ${alternates.length - maxListed} more` : '';
  log.warn(
    `stopped with failovers in force: ${listed.join(', ')}${more}; their routes stay, so that ` +
      `nobody is cut ` +
      "off: the next start takes them over, 'faild cleanup' removes them",
    { alternates },
  );
}

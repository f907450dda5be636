// The daemon: one Faild with a log, a control socket and signals around it. Called by cli.ts for
// `faild` itself.
import type { DaemonConfig } from './config.js';
import { type Control, openControl } from './control.js';
import type { EventStream } from './event-queue.js';
import { Faild } from './faild.js';
import { type Log, openLog } from './log.js';
import type { Status } from './status.js';
import { showDuration } from './units.js';

/** A list in a log line ends here; `faild status` has the whole. */
const maxListed = 5;

/**
 * Runs until a signal asks it to stop; resolves when all is down. Throws what keeps it from
 * starting.
 */
export async function runDaemon(config: DaemonConfig): Promise<void> {
  const log = await openLog(config.logFile, config.hostName);
  // First of all, because it is the lock: nothing else is touched while another daemon lives.
  const control = await openControl(config.socket);
  const faild = await Faild.launch(config).catch(async (error: unknown) => {
    await control.close();
    throw error;
  });
  const signal = stopSignal(log, config);
  const logging = logEvents(faild.events(), log);
  control.attach(faild);
  sayStarted(faild, log, config);
  log.info(`stopping: ${await signal}`);
  await stop(faild, control, log);
  await logging;
  log.info('stopped');
  log.close();
}

async function stop(faild: Faild, control: Control, log: Log): Promise<void> {
  const last = await faild.status().catch(() => undefined);
  await control.close();
  await faild.stop();
  if (last !== undefined) sayWhatStays(last, log);
}

async function logEvents(events: EventStream, log: Log): Promise<void> {
  for await (const event of events) log.event(event);
}

/**
 * The first signal stops cleanly, a second one at once (routes then stay for the next start to
 * adopt).
 */
function stopSignal(log: Log, config: DaemonConfig): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let stopping = false;
    const onSignal = (signal: NodeJS.Signals, number: number): void => {
      if (stopping) process.exit(128 + number);
      stopping = true;
      resolve(signal);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
    process.on('SIGHUP', (signal: NodeJS.Signals, number: number) => {
      // From a closing terminal it means the end; from logrotate or a service manager, a new log
      // file.
      if (config.logFile === null && process.stdout.isTTY) return onSignal(signal, number);
      log.reopen();
      log.info('log reopened');
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

// The log: one JSON line an event, to a file or standard output; sentences alone on a terminal.
// Synchronous on purpose: a line costs some microseconds of a thread that failover does not need,
// and a crash loses none. Used by daemon.ts.
import { isatty } from 'node:tty';
import { type DestinationStream, type Logger, pino } from 'pino';

import type { FaildEvent } from '../cluster/events.js';
import { LineSink } from './line-sink.js';
import { describe } from './log-lines.js';

export interface Log {
  event(event: FaildEvent): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
  /** After a rotation (SIGHUP). False: there is no file, or it cannot be opened, as stderr says. */
  reopen(): boolean;
  close(): void;
}

/** Throws when the log file cannot be opened; later failures are only counted. */
export async function openLog(logFile: string | null, host: string): Promise<Log> {
  const sink = new LineSink(logFile ?? 1, sayOnStderr, (lines) =>
    logger.warn({ lines }, `lost: ${lines} lines of this log could not be written`),
  );
  const onTerminal = logFile === null && isatty(1);
  const logger = makeLogger(onTerminal ? await prettyStream() : sink, host);
  return {
    event(event) {
      const { level, message } = describe(event);
      logger[level](event, message);
    },
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
    reopen: () => sink.reopen(),
    close: () => sink.close(),
  };
}

function makeLogger(stream: DestinationStream, host: string): Logger {
  return pino(
    {
      base: { host },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    stream,
  );
}

/** Loaded for terminals only: it costs a service 10 ms and some megabytes for nothing. */
async function prettyStream(): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty');
  return pretty({ sync: true, hideObject: true, ignore: 'host', translateTime: 'SYS:HH:MM:ss.l' });
}

function sayOnStderr(line: string): void {
  try {
    process.stderr.write(`faild: ${line}\n`);
  } catch {
    // Nobody listens there either.
  }
}

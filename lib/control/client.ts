// Asking a running daemon over its control sockets. Used by cli.ts and verbs.ts, and by control.ts
// to tell a living daemon from the socket file that a dead one has left.
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

import { ConfigFaults, codeOf, FaildError, type Fault, messageOf } from '../base/errors.js';
import type { FaildEvent } from '../cluster/events.js';
import type { MissedProbes } from '../cluster/probes-live.js';
import type { RoundTrip } from '../cluster/round-trips.js';
import type { Status } from '../cluster/status.js';
import { adminSocket } from '../config/settings.js';
import type { SeenProbe } from '../engine/probes.js';
import type { ReloadAnswer } from './reload.js';

/** A daemon answers in milliseconds; one that does not in this time is as good as none. */
const patienceMs = 5000;
/** One that is told to act answers when it is done; the longest wait is host-drain.ts's. */
export const actPatienceMs = 25_000;

/** Does anybody accept connections there? */
export function isAnswered(socket: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const connection = connect(socket);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', (error) => {
      const code = codeOf(error);
      if (code === 'ENOENT' || code === 'ECONNREFUSED') resolve(false);
      else reject(unreachable(socket, error));
    });
  });
}

export function fetchStatus(socket: string): Promise<Status> {
  return fetchAnswer<Status>(socket, '/v1/status');
}

/** Any GET path of control/routes.ts that answers with JSON. */
export async function fetchAnswer<T extends object>(
  socket: string,
  path: string,
  query: Query = {},
): Promise<T> {
  return (await askFor(socket, 'GET', withQuery(path, query), 3)) as T;
}

/** A GET path that answers with text: `/metrics`. */
export async function fetchText(socket: string, path: string): Promise<string> {
  const response = await ask(socket, 'GET', path);
  if (response.statusCode !== 200) await readAnswer(socket, response, 3);
  return await bodyOf(response);
}

/** Throws all faults of the file at once, or why the daemon would not. */
export function askReload(socket: string): Promise<ReloadAnswer> {
  return askToAct<ReloadAnswer>(socket, '/v1/reload');
}

/** Any POST path: for the daemon's owner, over the socket that only he can open. */
export async function askToAct<T extends object>(
  socket: string,
  path: string,
  query: Query = {},
): Promise<T> {
  return (await askFor(adminSocket(socket), 'POST', withQuery(path, query), 1)) as T;
}

/** What is undefined is not asked. */
type Query = Readonly<Record<string, string | undefined>>;

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => {
    return entry[1] !== undefined;
  });
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}

type Answer = object & { error?: string; faults?: Fault[] };

async function askFor(
  socket: string,
  method: string,
  path: string,
  exitStatus: number,
): Promise<object> {
  return await readAnswer(socket, await ask(socket, method, path), exitStatus);
}

async function readAnswer(
  socket: string,
  response: IncomingMessage,
  exitStatus: number,
): Promise<object> {
  const body = await bodyOf(response);
  const answer = JSON.parse(body) as Answer;
  if (response.statusCode === 200) return answer;
  if (answer.faults !== undefined) throw new ConfigFaults(answer.faults);
  const line = `the daemon on ${socket} says: ${answer.error ?? body}`;
  const askersFault = response.statusCode === 400 || response.statusCode === 404;
  throw new FaildError('EDAEMON', line, { exitStatus: askersFault ? 2 : exitStatus });
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += chunk as string;
  return body;
}

/** With `since`, first those that are kept of that time. Ends with the daemon, or the signal. */
export function followEvents(
  socket: string,
  since?: string,
  signal?: AbortSignal,
): AsyncGenerator<FaildEvent> {
  return follow(socket, withQuery('/v1/events', { since }), signal);
}

/** Of all peers or one, on all LANs or one. Ends when the daemon does. */
export function followProbes(
  socket: string,
  scope: Query,
): AsyncGenerator<SeenProbe | MissedProbes> {
  return follow(socket, withQuery('/v1/probes', scope));
}

/** Ends with the signal; of a path that does not exist, with an error. */
export function followRoundTrips(
  socket: string,
  peer: string,
  lan: string,
  signal: AbortSignal,
): AsyncGenerator<RoundTrip> {
  return follow(socket, withQuery('/v1/round-trips', { peer, lan }), signal);
}

async function* follow<T>(socket: string, path: string, signal?: AbortSignal): AsyncGenerator<T> {
  const response = await ask(socket, 'GET', path);
  if (response.statusCode !== 200) await readAnswer(socket, response, 3);
  const lines = createInterface({ input: response });
  const hangUp = () => lines.close();
  signal?.addEventListener('abort', hangUp);
  try {
    for await (const line of lines) {
      if (line.startsWith('data: ')) yield JSON.parse(line.slice(6)) as T;
    }
  } finally {
    signal?.removeEventListener('abort', hangUp);
    response.destroy();
  }
}

function ask(socket: string, method: string, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath: socket, method, path, agent: false });
    const ms = method === 'GET' ? patienceMs : actPatienceMs;
    asking.setTimeout(ms, () => asking.destroy(new Error(`no answer in ${ms / 1000} s`)));
    asking.once('response', (response) => {
      asking.setTimeout(0);
      resolve(response);
    });
    asking.once('error', (error) => reject(unreachable(socket, error)));
    asking.end();
  });
}

function unreachable(socket: string, error: unknown): FaildError {
  return new FaildError('ENODAEMON', explain(socket, error), { exitStatus: 3, cause: error });
}

function explain(socket: string, error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return (
        `no daemon answers on ${socket}: start one with 'sudo faild -r', or name its ` +
        `socket with --socket`
      );
    case 'EACCES':
      return `${socket} may not be used by this user: try again with sudo`;
    default:
      return `cannot ask the daemon on ${socket}: ${messageOf(error)}`;
  }
}

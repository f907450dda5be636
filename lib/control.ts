// The control socket: HTTP over a Unix socket, for `faild status` and for whoever speaks HTTP
// (`curl --unix-socket`). It is also the daemon's lock: while somebody answers on it, no second
// daemon starts on the same path.
//
//   GET /v1/status   the status document (status.ts)
//   GET /v1/events   events as they come, as server-sent events: `data: {...}`
//   POST /v1/reload  read the configuration again; the answer says what has changed (reload.ts)
import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';

import { isAnswered } from './control-client.js';
import { ConfigFaults, codeOf, FaildError, messageOf } from './errors.js';
import type { EventStream } from './event-queue.js';
import type { ReloadAnswer } from './reload.js';
import type { Status } from './status.js';

/** What the socket speaks for. */
export interface ControlTarget {
  status(): Promise<Status>;
  events(): EventStream;
  reload(): Promise<ReloadAnswer>;
}

export interface Control {
  /** From now on questions are answered; before, they get `503 starting`. */
  attach(target: ControlTarget): void;
  /** Ends every connection and removes the socket. */
  close(): Promise<void>;
}

/** Takes the socket. Throws EALREADY when a daemon lives there. */
export async function openControl(path: string): Promise<Control> {
  prepareDirectory(path);
  await removeStale(path);
  let target: ControlTarget | undefined;
  const server = createServer((request, response) => {
    answer(request, response, target).catch((error: unknown) => failWith(response, error));
  });
  await listen(server, path);
  chmodSync(path, 0o660);
  return {
    attach(running) {
      target = running;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Route {
  method: 'GET' | 'POST';
  run(running: ControlTarget, response: ServerResponse): Promise<void>;
}

const routes: Record<string, Route> = {
  '/v1/status': {
    method: 'GET',
    run: async (running, response) => send(response, 200, await running.status()),
  },
  '/v1/events': {
    method: 'GET',
    run: (running, response) => streamEvents(response, running.events()),
  },
  '/v1/reload': {
    method: 'POST',
    run: async (running, response) => send(response, 200, await running.reload()),
  },
};

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  target: ControlTarget | undefined,
): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://faild');
  const route = Object.hasOwn(routes, pathname) ? routes[pathname] : undefined;
  if (route === undefined) {
    const known = Object.keys(routes).join(', ');
    return fail(response, 404, `there is no ${pathname}; there are ${known}`);
  }
  if (request.method !== route.method) {
    response.setHeader('Allow', route.method);
    return fail(response, 405, `${request.method} is not allowed here; use ${route.method}`);
  }
  if (target === undefined) return fail(response, 503, 'starting; ask again in a moment');
  await route.run(target, response);
}

function send(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { 'Content-Type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

/** A configuration with faults is the asker's; all else is ours. */
function failWith(response: ServerResponse, error: unknown): void {
  if (error instanceof ConfigFaults) {
    send(response, 422, { error: messageOf(error), faults: error.faults });
  } else {
    fail(response, 500, messageOf(error));
  }
}

function fail(response: ServerResponse, code: number, error: string): void {
  if (response.headersSent) response.destroy();
  else send(response, code, { error });
}

/**
 * A slow reader fills its own bounded queue (and is told what it lost), never the daemon's memory.
 */
async function streamEvents(response: ServerResponse, events: EventStream): Promise<void> {
  response.once('close', () => void events.return());
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  response.flushHeaders();
  for await (const event of events) {
    if (!response.write(`event: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`)) {
      await drained(response);
    }
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once('drain', resolve);
    response.once('close', resolve);
  });
}

function prepareDirectory(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  } catch (error) {
    throw socketError(path, error);
  }
}

/** Only a socket is ever removed, and only when nobody answers on it. */
async function removeStale(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isSocket()) {
    throw new FaildError(
      'ENOTSOCK',
      `--socket: ${path} is there and is not a socket; give another path`,
    );
  }
  if (await isAnswered(path)) throw alreadyRunning(path);
  rmSync(path, { force: true });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(codeOf(error) === 'EADDRINUSE' ? alreadyRunning(path) : socketError(path, error));
    });
    server.listen(path, resolve);
  });
}

function alreadyRunning(path: string): FaildError {
  const line =
    `already running: a daemon answers on ${path}; stop it first, or give this one ` +
    `another --socket`;
  return new FaildError('EALREADY', line);
}

function socketError(path: string, error: unknown): FaildError {
  const line =
    `--socket: cannot listen on ${path}: ${messageOf(error)}; run as root or give ` +
    `another path`;
  return new FaildError(codeOf(error) ?? 'ESOCKET', line, { cause: error });
}

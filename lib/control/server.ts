// The control sockets: HTTP over Unix sockets, for faild's own commands and for whoever speaks HTTP
// (`curl --unix-socket`). What is asked there, and answered, is in control/routes.ts.
//
//   PATH        root and its group may look                                           mode 0660
//   PATH.admin  its owner (and root) may look and act: reload, failover, drain, ...   mode 0600
//
// Two sockets, because the kernel itself then keeps strangers out: connect(2) asks for write
// permission on the socket's file, so that no line of ours has to judge who somebody is. One socket
// with SO_PEERCRED would need native code for what Node cannot ask, and a decision at each request.
//
// The first is also the daemon's lock: while somebody answers on it, no second daemon starts on the
// same path.
import { lstatSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { dirname } from 'node:path';
import { codeOf, FaildError, messageOf } from '../base/errors.js';
import { makeDirectory } from '../base/state-files.js';
import { adminSocket } from '../config/settings.js';
import { isAnswered } from './client.js';
import { type ControlTarget, respond } from './routes.js';

export interface Control {
  /** From now on questions are answered; before, they get `503 starting`. */
  attach(target: ControlTarget): void;
  /** Ends every connection and removes the sockets. */
  close(): Promise<void>;
}

/** Takes the sockets. Throws EALREADY when a daemon lives there. */
export async function openControl(path: string): Promise<Control> {
  prepareDirectory(path);
  let target: ControlTarget | undefined;
  const serve = (owner: boolean): Server =>
    createServer((request, response) => void respond(request, response, { owner, target }));
  await removeStale(path);
  const open = [await listen(serve(false), path, 0o660)];
  try {
    await removeStale(adminSocket(path));
    open.push(await listen(serve(true), adminSocket(path), 0o600));
  } catch (error) {
    await Promise.all(open.map(closeServer));
    throw error;
  }
  return {
    attach(running) {
      target = running;
    },
    close: async () => void (await Promise.all(open.map(closeServer))),
  };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function prepareDirectory(path: string): void {
  try {
    makeDirectory(dirname(path));
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

/** The socket is born with its mode, so that there is no moment in which others could connect. */
function listen(server: Server, path: string, mode: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(codeOf(error) === 'EADDRINUSE' ? alreadyRunning(path) : socketError(path, error));
    });
    const before = process.umask(0o777 & ~mode);
    try {
      server.listen(path, () => resolve(server)); // binds before it returns
    } finally {
      process.umask(before);
    }
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

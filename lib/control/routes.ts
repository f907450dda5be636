// What may be asked over the control sockets, and how it is answered (docs/control.md). Used by
// control.ts, which owns the sockets.
//
//   GET  /v1/status                 everything (status.ts)
//   GET  /v1/peers                  one row a peer (views.ts)
//   GET  /v1/paths[?peer=]          one row a path (views.ts)
//   GET  /v1/explain?peer=          why a peer's traffic goes where it goes (explain.ts)
//   GET  /v1/probes[?peer=&lan=]    probes as they pass (probes-live.ts), as server-sent events
//   GET  /v1/probes/recent[?...]    those that the flight recorder holds (probes.ts)
//   GET  /v1/events[?since=]        events as they come, as server-sent events: `data: {...}`
//   GET  /v1/events/recent[?since=] those that are kept
//   GET  /v1/round-trips?peer=&lan= of a path, as they are measured (round-trips.ts); likewise
//   GET  /metrics                   for Prometheus (metrics.ts)
//   POST /v1/reload                 read the configuration again (reload.ts)
//   POST /v1/failover?lan=[&peer=]  move traffic by hand (moves.ts); so do switchback, drain?lan=
//                                   and undrain?lan=
//   POST /v1/drain-host             this host's silence is planned (host-drain.ts); undrain-host
//   POST /v1/cut?lan=&direction=&for= mute our own heartbeats on a LAN for a while (cuts.ts)
//   POST /v1/heal?lan=              and hear them again
//
// Whoever POSTs must own the daemon.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ClockReading } from '../base/clock.js';
import { ConfigFaults, codeOf, FaildError, messageOf } from '../base/errors.js';
import { readDuration } from '../base/units.js';
import { type CutAnswer, type CutOrder, cutDirections } from '../cluster/cuts.js';
import type { Recent } from '../cluster/event-ring.js';
import type { FaildEvent } from '../cluster/events.js';
import { type ExplainFacts, explain } from '../cluster/explain.js';
import type { HostDrainAnswer } from '../cluster/host-drain.js';
import { findPeer, type MoveAnswer, type MoveScope } from '../cluster/moves.js';
import { type MissedProbes, namesOf, type ProbeScope, queryOf } from '../cluster/probes-live.js';
import type { EventStream } from '../cluster/reader-queue.js';
import type { RoundTrip } from '../cluster/round-trips.js';
import type { Status } from '../cluster/status.js';
import { type Head, headOf, pathsView, peersView } from '../cluster/views.js';
import type { NativeProbeQuery, NativeProbes } from '../engine/native.js';
import { type SeenProbe, seenIn } from '../engine/probes.js';
import { metricsType } from '../metrics/metrics-server.js';
import type { ReloadAnswer, Reloaded } from './reload.js';

/** What the sockets speak for. */
export interface ControlTarget {
  status(): Promise<Status>;
  events(options: { since?: number | undefined }): EventStream;
  recentEvents(options: { since?: number | undefined }): Promise<Recent>;
  explainFacts(): ExplainFacts;
  probes(query: NativeProbeQuery): Promise<{ taken: NativeProbes; now: ClockReading }>;
  followProbes(
    scope: ProbeScope,
    gone: AbortSignal,
  ): AsyncIterableIterator<SeenProbe | MissedProbes>;
  roundTrips(peer: string, lan: string): AsyncIterableIterator<RoundTrip>;
  /** Text in Prometheus' exposition format. */
  metrics(): Promise<string>;
  reload(): Promise<Reloaded>;
  failover(scope: MoveScope): Promise<MoveAnswer>;
  switchback(scope: MoveScope): Promise<MoveAnswer>;
  drain(lan: string): Promise<MoveAnswer>;
  undrain(lan: string): Promise<MoveAnswer>;
  drainHost(): Promise<HostDrainAnswer>;
  undrainHost(): Promise<HostDrainAnswer>;
  cut(order: CutOrder): Promise<CutAnswer>;
  heal(lan: string): Promise<CutAnswer>;
}

export interface EventsAnswer extends Head<'faild.events/1'> {
  /** False: there were more in that time than are kept. */
  complete: boolean;
  events: FaildEvent[];
}

export interface ProbesAnswer extends Head<'faild.probes/1'> {
  /** False: the engine did not answer, or there are more paths than are read at a time. */
  complete: boolean;
  /** The oldest first. */
  probes: SeenProbe[];
}

/** Who asks, and of whom. */
export interface Asked {
  /** By the socket that only the daemon's owner can open. */
  owner: boolean;
  /** Undefined while the daemon starts. */
  target: ControlTarget | undefined;
}

type Query = Readonly<Record<string, string | undefined>>;

interface Route {
  method: 'GET' | 'POST';
  /** What may be asked with `?name=value`; those with an asterisk must be. */
  query: readonly string[];
  run(running: ControlTarget, response: ServerResponse, query: Query): Promise<void>;
}

const routes: Record<string, Route> = {
  '/v1/status': getJson([], (running) => running.status()),
  '/v1/peers': getJson([], async (running) => peersView(await running.status())),
  '/v1/paths': getJson(['peer'], async (running, { peer }) => {
    const status = await running.status();
    return pathsView(status, peer === undefined ? status.peers : [findPeer(status.peers, peer)]);
  }),
  '/v1/explain': getJson(['peer*'], async (running, { peer = '' }) => {
    const status = await running.status();
    const read = await recorded(running, status, { peer, lan: null });
    return explain(status, running.explainFacts(), peer, read?.taken ?? null);
  }),
  '/v1/probes/recent': getJson(['peer', 'lan'], async (running, query) =>
    recentProbes(running, probeScopeOf(query)),
  ),
  '/v1/probes': {
    method: 'GET',
    query: ['peer', 'lan'],
    run: async (running, response, query) => {
      const scope = probeScopeOf(query);
      queryOf(await running.status(), scope); // what is wrong is said before the stream begins
      const listener = new AbortController();
      response.once('close', () => listener.abort());
      await stream(response, running.followProbes(scope, listener.signal), (line) =>
        'more' in line ? 'more' : 'probe',
      );
    },
  },
  '/v1/events/recent': getJson(['since'], async (running, { since }) => ({
    ...headOf(await running.status(), 'faild.events/1'),
    ...(await running.recentEvents({ since: secondsOf(since) })),
  })),
  '/v1/events': {
    method: 'GET',
    query: ['since'],
    run: (running, response, { since }) =>
      stream(response, running.events({ since: secondsOf(since) }), ({ kind }) => kind),
  },
  '/v1/round-trips': {
    method: 'GET',
    query: ['peer*', 'lan*'],
    run: (running, response, { peer = '', lan = '' }) =>
      stream(response, running.roundTrips(peer, lan), () => 'round-trip'),
  },
  '/metrics': {
    method: 'GET',
    query: [],
    run: async (running, response) => {
      const text = await running.metrics();
      response.writeHead(200, { 'Content-Type': metricsType });
      response.end(text);
    },
  },
  '/v1/reload': postJson([], async (running): Promise<ReloadAnswer> => {
    const reloaded = await running.reload();
    return { ...headOf(await running.status(), 'faild.reload/1'), ...reloaded };
  }),
  '/v1/failover': postJson(['lan*', 'peer'], (running, query) => running.failover(scopeOf(query))),
  '/v1/switchback': postJson(['lan*', 'peer'], (running, query) =>
    running.switchback(scopeOf(query)),
  ),
  '/v1/drain': postJson(['lan*'], (running, { lan = '' }) => running.drain(lan)),
  '/v1/undrain': postJson(['lan*'], (running, { lan = '' }) => running.undrain(lan)),
  '/v1/drain-host': postJson([], (running) => running.drainHost()),
  '/v1/undrain-host': postJson([], (running) => running.undrainHost()),
  '/v1/cut': postJson(['lan*', 'direction*', 'for*'], (running, query) =>
    running.cut(cutOf(query)),
  ),
  '/v1/heal': postJson(['lan*'], (running, { lan = '' }) => running.heal(lan)),
};

type Answer = (running: ControlTarget, query: Query) => Promise<object>;

function getJson(query: readonly string[], answer: Answer): Route {
  return { method: 'GET', query, run: sendAnswer(answer) };
}

function postJson(query: readonly string[], answer: Answer): Route {
  return { method: 'POST', query, run: sendAnswer(answer) };
}

function sendAnswer(answer: Answer): Route['run'] {
  return async (running, response, query) => send(response, 200, await answer(running, query));
}

/** Never throws: whatever goes wrong is the answer. */
export async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  asked: Asked,
): Promise<void> {
  try {
    await dispatch(request, response, asked);
  } catch (error) {
    failWith(response, error);
  }
}

async function dispatch(
  request: IncomingMessage,
  response: ServerResponse,
  { owner, target }: Asked,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://faild');
  const route = Object.hasOwn(routes, pathname) ? routes[pathname] : undefined;
  if (route === undefined) {
    const known = Object.keys(routes).join(', ');
    return fail(response, 404, `there is no ${pathname}; there are ${known}`);
  }
  if (request.method !== route.method) {
    response.setHeader('Allow', route.method);
    return fail(response, 405, `${request.method} is not allowed here; use ${route.method}`);
  }
  if (route.method === 'POST' && !owner) {
    return fail(response, 403, "only the daemon's owner may do that; ask the socket *.admin");
  }
  const query = readQuery(searchParams, route.query);
  if (target === undefined) return fail(response, 503, 'starting; ask again in a moment');
  await route.run(target, response, query);
}

/** A misspelt name would be a silent default. */
function readQuery(given: URLSearchParams, accepted: readonly string[]): Query {
  const names = accepted.map((name) => name.replace('*', ''));
  const strange = [...given.keys()].find((name) => !names.includes(name));
  if (strange !== undefined) {
    throw badQuery(`'${strange}' is not asked here; there are ${names.join(', ') || 'none'}`);
  }
  const missing = accepted.find((name) => name.endsWith('*') && !given.get(name.slice(0, -1)));
  if (missing !== undefined) throw badQuery(`say which: ?${missing.slice(0, -1)}=...`);
  return Object.fromEntries(given);
}

function scopeOf({ lan = '', peer }: Query): MoveScope {
  return { lan, peer: peer ?? null };
}

function cutOf({ lan = '', direction: wanted = '', for: length = '' }: Query): CutOrder {
  const direction = cutDirections.find((name) => name === wanted);
  const seconds = readDuration(length);
  if (direction === undefined) throw badQuery(`direction: '${wanted}' is not in, out or both`);
  if (seconds === undefined) throw badQuery(`for: '${length}' is no duration, such as 2s`);
  return { lan, direction, seconds };
}

function probeScopeOf({ peer, lan }: Query): ProbeScope {
  return { peer: peer ?? null, lan: lan ?? null };
}

async function recentProbes(running: ControlTarget, scope: ProbeScope): Promise<ProbesAnswer> {
  const status = await running.status();
  const read = await recorded(running, status, scope);
  return {
    ...headOf(status, 'faild.probes/1'),
    complete: read !== null && read.taken.leftOut === 0,
    probes: read === null ? [] : seenIn(read.taken, namesOf(status), read.now),
  };
}

/** Null: the engine's thread hangs, as the status says already. */
async function recorded(running: ControlTarget, status: Status, scope: ProbeScope) {
  const query = queryOf(status, scope);
  return status.engine.alive ? await running.probes(query) : null;
}

function secondsOf(since: string | undefined): number | undefined {
  if (since === undefined) return undefined;
  const seconds = readDuration(since);
  if (seconds === undefined) throw badQuery(`since: '${since}' is no duration, such as 5min`);
  return seconds;
}

function badQuery(message: string): FaildError {
  return new FaildError('EINVAL', message, { exitStatus: 2 });
}

function send(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { 'Content-Type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

const httpCodes: Record<string, number> = {
  EINVAL: 400,
  ENOENT: 404,
  EBUSY: 409,
  EHOSTUNREACH: 409,
  ETIMEDOUT: 504,
};

/** What is wrong with a question or a configuration is the asker's; all else is ours. */
function failWith(response: ServerResponse, error: unknown): void {
  if (error instanceof ConfigFaults) {
    send(response, 422, { error: messageOf(error), faults: error.faults });
  } else {
    fail(response, httpCodes[codeOf(error) ?? ''] ?? 500, messageOf(error));
  }
}

function fail(response: ServerResponse, code: number, error: string): void {
  if (response.headersSent) response.destroy();
  else send(response, code, { error });
}

/**
 * A slow reader fills its own bounded queue (and is told what it lost), never the daemon's memory.
 */
async function stream<T>(
  response: ServerResponse,
  items: AsyncIterableIterator<T>,
  kindOf: (item: T) => string,
): Promise<void> {
  response.once('close', () => void items.return?.());
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  response.flushHeaders();
  for await (const item of items) {
    if (!response.write(`event: ${kindOf(item)}\ndata: ${JSON.stringify(item)}\n\n`)) {
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

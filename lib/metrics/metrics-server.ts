// `/metrics` over TCP, for a Prometheus that cannot read a Unix socket. Off unless configured: it
// says to whoever reaches it who is in the cluster, and nothing can be changed by it. Owned by
// daemon.ts.
import { createServer, type Server, type ServerResponse } from 'node:http';

import { codeOf, FaildError, messageOf } from '../base/errors.js';
import { readEndpoint } from '../config/kinds.js';

/** Scrapers are few; whoever opens more connections than these is none. */
const maxConnections = 16;

export interface MetricsServer {
  close(): Promise<void>;
}

/** What Prometheus is told that the text is. */
export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

/** `text` makes the answer. Rejects when the address cannot be listened on. */
export async function serveMetrics(
  endpoint: string | null,
  text: () => Promise<string>,
): Promise<MetricsServer> {
  const where = readEndpoint(endpoint);
  if (where === undefined) return { close: async () => undefined };
  const server = createServer(({ method, url = '/' }, response) => {
    if (method !== 'GET') return say(response, 405, 'only GET\n');
    if (url.split('?', 1)[0] !== '/metrics') return say(response, 404, 'only /metrics\n');
    text().then(
      (metrics) => say(response, 200, metrics, metricsType),
      (error) => say(response, 503, `${messageOf(error)}\n`),
    );
  });
  server.maxConnections = maxConnections;
  await listen(server, where, endpoint ?? '');
  return { close: () => closeServer(server) };
}

function say(response: ServerResponse, code: number, body: string, type = 'text/plain'): void {
  response.writeHead(code, { 'Content-Type': type });
  response.end(body);
}

function listen(
  server: Server,
  where: { host: string; port: number },
  endpoint: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const line =
        `--metrics-listen: cannot listen on ${endpoint}: ${messageOf(error)}; give an address ` +
        'of this host and a port that is free';
      reject(new FaildError(codeOf(error) ?? 'EMETRICS', line, { cause: error }));
    });
    server.listen(where, resolve);
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

// The command `faild bench`: its flags, its signals, where the report goes. Called by cli.ts.
import { writeFileSync } from 'node:fs';

import { bench } from './bench.js';
import { renderHtml } from './bench-html.js';
import { renderBench } from './bench-text.js';
import type { DaemonConfig } from './config.js';
import { FaildError } from './errors.js';

export interface BenchFlags {
  json?: true | undefined;
  html?: string | undefined;
  seconds?: string | undefined;
}

const defaultSeconds = 10;
const longestSeconds = 86_400;

/** A signal ends it cleanly, so that none of its routes stays. */
export async function runBench(
  { peer, json, html, seconds }: BenchFlags & { peer: string },
  config: DaemonConfig,
): Promise<void> {
  const order = { peer, seconds: readSeconds(seconds) };
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const report = await bench(order, config, interrupted.signal);
  if (html !== undefined) writeFileSync(html, renderHtml(report));
  process.stdout.write(json ? `${JSON.stringify(report, round)}\n` : renderBench(report));
}

function readSeconds(text: string | undefined): number {
  const seconds = text === undefined ? defaultSeconds : Number(text);
  if (seconds >= 1 && seconds <= longestSeconds) return seconds;
  const line = `--seconds: '${text}' is not accepted; give a number from 1 to ${longestSeconds}`;
  throw new FaildError('EINVAL', line, { exitStatus: 2 });
}

/** A nanosecond is fine enough for microseconds; rates and shares keep their digits. */
function round(_key: string, value: unknown): unknown {
  if (typeof value !== 'number' || value < 1) return value;
  return Math.round(value * 1000) / 1000;
}

// The command `faild bench`: its flags, its question, its signals, where the report goes. Called by
// cli.ts.
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { FaildError } from '../base/errors.js';
import type { DaemonConfig } from '../config/config.js';
import { fetchStatus } from '../control/client.js';
import { benchCut, planCut } from './cut.js';
import { isComplete } from './cut-report.js';
import { askText, type CutQuestion, renderCut } from './cut-text.js';
import { renderCutHtml, renderHtml } from './html.js';
import { bench } from './pair.js';
import { renderBench } from './text.js';

export interface BenchFlags {
  peer?: string | undefined;
  json?: true | undefined;
  html?: string | undefined;
  seconds?: string | undefined;
  cut?: string | undefined;
  count?: string | undefined;
  yes?: true | undefined;
}

const defaultSeconds = 10;
const longestSeconds = 86_400;
const defaultCount = 5;
const highestCount = 1000;

/** A signal ends it cleanly: none of its routes stays, no LAN stays cut. The exit status. */
export async function runBench(flags: BenchFlags, config: DaemonConfig): Promise<number> {
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const { cut, peer, count, yes } = flags;
  if (cut !== undefined) return await cutLan(cut, flags, config, interrupted.signal);
  if (peer === undefined) throw misuse("say which peer, or which LAN to cut: 'faild bench host2'");
  if (count !== undefined || yes) throw misuse('--count and --yes go with --cut LAN');
  const order = { peer, seconds: readNumber('--seconds', flags.seconds, defaultSeconds) };
  const report = await bench(order, config, interrupted.signal);
  tell(flags, report, () => renderHtml(report), renderBench(report));
  return 0;
}

async function cutLan(
  lan: string,
  flags: BenchFlags,
  config: DaemonConfig,
  signal: AbortSignal,
): Promise<number> {
  if (flags.seconds !== undefined) throw misuse('--seconds does not go with --cut; --count does');
  if (!flags.yes && !process.stdin.isTTY) {
    throw misuse('--cut moves traffic: where there is no terminal to ask on, say --yes');
  }
  const count = readNumber('--count', flags.count, defaultCount);
  const order = { lan, peer: flags.peer ?? null, count };
  const plan = planCut(await fetchStatus(config.socket), order);
  const peers = plan.peers.map(({ name }) => name);
  const { longestUs } = plan;
  const question = { lan, host: plan.status.host.name, peers, count, longestUs };
  if (!flags.yes && !(await isWanted(question, signal))) return 1;
  const report = await benchCut(order, plan, config, signal);
  tell(flags, report, () => renderCutHtml(report), renderCut(report));
  return isComplete(report) ? 0 : 1;
}

/** Asked on standard error: the report may go to a file. Only a yes is one. */
async function isWanted(question: CutQuestion, signal: AbortSignal): Promise<boolean> {
  const answer = await ask(askText(question), signal);
  if (/^y(es)?$/i.test(answer.trim())) return true;
  process.stderr.write('nothing was done\n');
  return false;
}

/** '' at the end of the input. The terminal is in raw mode: it reads Ctrl-C as a key. */
async function ask(text: string, signal: AbortSignal): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await new Promise<string>((resolve, reject) => {
      // Closed without an answer, as by Ctrl-D: no yes.
      terminal.once('close', () => resolve(''));
      terminal.once('SIGINT', () => reject(new Error('Ctrl-C')));
      terminal.question(text, { signal }).then(resolve, reject);
    });
  } catch (cause) {
    process.stderr.write('\n');
    throw new FaildError('EINTR', 'interrupted', { exitStatus: 130, cause });
  } finally {
    terminal.close();
  }
}

function tell({ json, html }: BenchFlags, report: object, page: () => string, text: string): void {
  if (html !== undefined) writeFileSync(html, page());
  process.stdout.write(json ? `${JSON.stringify(report, round)}\n` : text);
}

const highest = { '--seconds': longestSeconds, '--count': highestCount };

function readNumber(flag: keyof typeof highest, text: string | undefined, usual: number): number {
  const number = text === undefined ? usual : Number(text);
  const whole = flag === '--seconds' || Number.isInteger(number);
  if (whole && number >= 1 && number <= highest[flag]) return number;
  const kind = flag === '--count' ? 'whole number' : 'number';
  throw misuse(`${flag}: '${text}' is not accepted; give a ${kind} from 1 to ${highest[flag]}`);
}

function misuse(line: string): FaildError {
  return new FaildError('EINVAL', line, { exitStatus: 2 });
}

/** A nanosecond is fine enough for microseconds; rates and shares keep their digits. */
function round(_key: string, value: unknown): unknown {
  if (typeof value !== 'number' || value < 1) return value;
  return Math.round(value * 1000) / 1000;
}

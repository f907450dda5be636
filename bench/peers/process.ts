// The neighbours' processes: started in a host's namespace as children of the bench, with a
// configuration made from a template in this folder; ended by their own handles.
//
// What they say goes to a file, not to a pipe: near a cut nobody may be woken to read it.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inside, nowUs, outcome } from '../../test/lab/shell.js';
import { kPriority, type Site } from './contender.js';

const kFolder = 'bench/peers'; // from the checkout's root, where `npm run bench` runs
const kLookAgainMs = 50;
const kEndMs = 5000;

/**
 * Writes a configuration for one end, and returns its path. The template says `{me}` and `{you}`
 * for the numbers of the two hosts, and `{name}` for whatever else is in `values`.
 */
export function configure(site: Site, template: string, values: Record<string, unknown>): string {
  const known: Record<string, unknown> = {
    me: site.host.number,
    you: site.other.number,
    directory: site.directory,
    ...values,
  };
  const text = readFileSync(join(kFolder, template), 'utf8').replace(/\{(\w+)\}/g, (_, name) => {
    if (known[name] === undefined) throw new Error(`${template}: nothing is known of {${name}}`);
    return String(known[name]);
  });
  const path = join(site.directory, template);
  writeFileSync(path, text);
  return path;
}

/** A program's argv at SCHED_FIFO, where its configuration has no word for that. */
export const atRealtime = (argv: string[]): string[] => ['chrt', '-f', String(kPriority), ...argv];

/** One process of a contender. */
export class PeerProcess {
  private readonly ended: Promise<void>;
  private constructor(
    private readonly child: ChildProcess,
    readonly log: string,
  ) {
    this.ended = new Promise((resolve) => {
      child.once('close', () => resolve());
      child.once('error', () => resolve());
    });
  }

  static start(site: Site, name: string, argv: string[]): PeerProcess {
    const log = join(site.directory, `${name}.log`);
    const file = openSync(log, 'a');
    const [command = '', ...rest] = inside(site.host.netns, argv);
    const child = spawn(command, rest, { stdio: ['ignore', file, file] });
    closeSync(file);
    return new PeerProcess(child, log);
  }

  said(): string {
    return readFileSync(this.log, 'utf8');
  }

  /** An error with its last words, if it has ended by itself. */
  mustRun(): void {
    const { exitCode, signalCode } = this.child;
    if (exitCode === null && signalCode === null) return;
    const words = this.said().trim().split('\n').slice(-5).join('; ');
    throw new Error(`${this.child.spawnargs.join(' ')} ended: ${words}`);
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    const impatience = setTimeout(() => this.child.kill('SIGKILL'), kEndMs);
    await this.ended;
    clearTimeout(impatience);
  }
}

/** Waits until nothing is wrong any more; what still is names the failure. */
export async function until(what: string, problems: () => Promise<string[]>, withinMs: number) {
  const endUs = nowUs() + withinMs * 1000;
  for (;;) {
    const found = await problems();
    if (found.length === 0) return;
    if (nowUs() > endUs) throw new Error(`${what}: not within ${withinMs} ms: ${found.join(', ')}`);
    await sleep(kLookAgainMs);
  }
}

/** No problem when a host's routes hold a line that fits. */
export async function routeProblems({ host }: Site, fits: RegExp): Promise<string[]> {
  const lines = (await host.run('ip', 'route')).split('\n');
  return lines.some((line) => fits.test(line)) ? [] : [`${host.name} has no route ${fits}`];
}

/** What a program says of its version, on whichever output it says it. */
export async function versionOf(argv: string[], pattern: RegExp): Promise<string> {
  const { stdout, stderr } = await outcome(argv);
  return pattern.exec(`${stdout}${stderr}`)?.[1] ?? 'unknown';
}

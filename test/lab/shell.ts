// Runs commands, in this network namespace or in another one of the lab. Used by the whole lab.
//
// A command that fails is an error that carries the command and what it said; nothing is retried
// and nothing is hidden.
import { execFile, type SpawnOptions, spawn } from 'node:child_process';

/** Where `ip netns` keeps the lab's namespaces: on the arena's private tmpfs. */
export const netnsPath = (netns: string): string => `/run/netns/${netns}`;

/** `argv`, to be run inside `netns`. nsenter replaces itself, so the pid is the command's own. */
export function inside(netns: string, argv: readonly string[]): string[] {
  return ['nsenter', `--net=${netnsPath(netns)}`, '--', ...argv];
}

export interface RunOptions {
  /** Fed to the command's standard input. */
  input?: string;
  env?: NodeJS.ProcessEnv;
}

export interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end, whatever its exit status. */
export function outcome(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      argv[0] as string,
      argv.slice(1),
      { maxBuffer: 64 << 20, ...(options.env && { env: options.env }) },
      (error, stdout, stderr) => {
        if (error && typeof error.code !== 'number') reject(error);
        else resolve({ status: error ? Number(error.code) : 0, stdout, stderr });
      },
    );
    // A command that ends without reading all of its input is judged by its exit status.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs a command, returns what it printed, throws when it fails. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await outcome(argv, options);
  if (status === 0) return stdout;
  throw new Error(`${argv.join(' ')}: exit status ${status}: ${(stderr || stdout).trim()}`);
}

/** Runs a shell script inside a namespace; the first command that fails ends it. */
export function script(netns: string, lines: readonly string[]): Promise<string> {
  return run(inside(netns, ['sh', '-e']), { input: `${lines.join('\n')}\n` });
}

/** Starts a long-living command. */
export function launch(argv: readonly string[], options: SpawnOptions) {
  return spawn(argv[0] as string, argv.slice(1), options);
}

/** CLOCK_MONOTONIC in microseconds: one clock for all namespaces and the daemons' records. */
export const nowUs = (): number => Number(process.hrtime.bigint()) / 1000;

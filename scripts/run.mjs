// Runs one command of the set-up or of the tests: quiet while it works, everything that it said
// when it fails.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** One line of progress, before the step starts. */
export function say(text) {
  process.stdout.write(`${text}\n`);
}

/** The command's whole output and its exit status; never throws. */
export function attempt(command, args, env = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`;
  return { ok: result.status === 0, output };
}

/** Runs a command that must succeed; otherwise prints what it said and ends this process. */
export function must(label, command, args, env = {}) {
  const { ok, output } = attempt(command, args, env);
  if (ok) return output;
  process.stderr.write(`${output}\n${label} failed: ${command} ${args.join(' ')}\n`);
  process.exit(1);
}

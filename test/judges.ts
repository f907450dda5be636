// Programs of others that judge what we ship: promtool, mandoc, systemd-analyze and such.
import { spawnSync } from 'node:child_process';

/**
 * For tap's `skip`: on a developer's machine a judge may be missing, and its test says so. In
 * .ci/run, which installs them all, it may not: the test is run, and fails.
 */
export function unlessInstalled(program: string): string | false {
  if (process.env.FAILD_EVERY_JUDGE !== undefined) return false;
  const found = spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
  return found ? false : `${program} is not installed`;
}

// What the kernel does with a destination, asked of `ip`(8) by the command that wants to know: in
// its own process, so that the daemon starts none. Used by verbs.ts for `faild explain` and by doctor.
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { promisify } from 'node:util';

import { codeOf, messageOf } from '../base/errors.js';

const run = promisify(execFile);

/** `ip` answers in milliseconds; a kernel with a million routes in some seconds. */
const patienceMs = 10_000;

/** As much of `ip -j route` as is shown. */
export interface KernelRoute {
  destination: string;
  device: string;
  gateway: string | null;
  source: string | null;
  table: string | null;
}

export interface KernelLook {
  address: string;
  /** What `ip route get` says: where a packet would go now. Null: the kernel has no way. */
  takes: KernelRoute | null;
  /** faild's own entries for it, whether their rule is in force or not. */
  entries: KernelRoute[];
}

/** The inode number of the network namespace that a file stands for. */
export function namespaceId(file = '/proc/self/ns/net'): string {
  return String(statSync(file).ino);
}

/**
 * One look an address, in the network namespace of the daemon. Null with a reason: this process
 * cannot look there.
 */
export async function lookAtKernel(
  addresses: readonly string[],
  network: { networkNamespace: string | null; namespaceId: string },
): Promise<{ looks: KernelLook[] } | { why: string }> {
  const here = network.namespaceId === namespaceId();
  if (!here && network.networkNamespace === null) {
    return { why: 'the daemon lives in another network namespace than this command' };
  }
  const enter = here ? [] : ['nsenter', `--net=${network.networkNamespace}`];
  try {
    return { looks: await Promise.all(addresses.map((address) => lookAt(address, enter))) };
  } catch (error) {
    const missing = codeOf(error) === 'ENOENT';
    return { why: missing ? 'ip is not installed (package iproute2)' : messageOf(error) };
  }
}

/** As much of `ip -j -N rule` as is looked at; a rule that selects has further members. */
export interface KernelRule {
  priority: number;
  src: string;
  table?: string;
  protocol?: string;
}

/** Of both families; empty where `ip` has no answer. */
export async function readRules(): Promise<KernelRule[]> {
  const both = ['-4', '-6'].map(async (family) => {
    const argv = ['-j', '-N', family, 'rule', 'show'];
    const { stdout } = await run('ip', argv, { timeout: patienceMs }).catch(() => ({ stdout: '' }));
    return JSON.parse(stdout.trim() || '[]') as KernelRule[];
  });
  return (await Promise.all(both)).flat();
}

async function lookAt(address: string, enter: readonly string[]): Promise<KernelLook> {
  const length = address.includes(':') ? 128 : 32;
  const own = ['proto', '213', 'exact', `${address}/${length}`];
  const [got, entries] = await Promise.all([
    ask([...enter, 'ip', '-j', '-N', 'route', 'get', address]).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') throw error;
      return []; // `RTNETLINK answers: Network is unreachable` is an answer as well
    }),
    ask([...enter, 'ip', '-j', '-N', 'route', 'show', 'table', 'all', ...own]),
  ]);
  return { address, takes: got[0] ?? null, entries };
}

async function ask([file = '', ...argv]: readonly string[]): Promise<KernelRoute[]> {
  const { stdout } = await run(file, argv, { timeout: patienceMs, maxBuffer: 64 << 20 });
  const rows = JSON.parse(stdout.trim() || '[]') as Record<string, string | undefined>[];
  return rows.map((row) => ({
    destination: row.dst ?? 'default',
    device: row.dev ?? '?',
    gateway: row.gateway ?? viaOf(row.via),
    source: row.prefsrc ?? null,
    table: row.table ?? null,
  }));
}

/** An IPv4 destination by an IPv6 gateway. */
function viaOf(via: unknown): string | null {
  return typeof via === 'object' && via !== null && 'host' in via ? String(via.host) : null;
}

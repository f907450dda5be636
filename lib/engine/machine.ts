// What this machine is like, as far as a configuration's wisdom depends on it: how late its timers
// are, what its kernel filters, what this process may do. Read by check.ts, daemon.ts and
// doctor.ts; judged by advice.ts and findings.ts.
import { readFileSync } from 'node:fs';

import { native } from './native.js';

const capSysNice = 23n;

/** The latest of some hundred wake-ups, 1 ms apart, of this ordinary thread. Blocks that long. */
export function measureTimerLatenessUs(samples = 300): number {
  const never = new Int32Array(new SharedArrayBuffer(4));
  let latestUs = 0;
  for (let sample = 0; sample < samples; sample++) {
    const dueUs = native.monotonicUs() + 1000;
    Atomics.wait(never, 0, 0, 1);
    latestUs = Math.max(latestUs, native.monotonicUs() - dueUs);
  }
  return latestUs;
}

/** The reverse-path filter in force, 0 to 2, of each of these interfaces. */
export function readRpFilters(interfaces: readonly string[]): Map<string, number> {
  const all = readNumber('/proc/sys/net/ipv4/conf/all/rp_filter');
  return new Map(
    interfaces.map((name) => {
      const own = readNumber(`/proc/sys/net/ipv4/conf/${name}/rp_filter`);
      return [name, Math.max(all, own)];
    }),
  );
}

/** Of these names below /proc/sys (`net/core/rmem_max`) those that this namespace has. */
export function readSysctls(names: readonly string[]): Map<string, number> {
  const entries = names.map((name) => [name, readText(`/proc/sys/${name}`).trim()] as const);
  return new Map(entries.flatMap(([name, text]) => (text === '' ? [] : [[name, Number(text)]])));
}

/** What the kernel tells the time by; null: it does not say. */
export function readClockSource(): string | null {
  const directory = '/sys/devices/system/clocksource/clocksource0';
  return readText(`${directory}/current_clocksource`).trim() || null;
}

/** In a user namespace other than the machine's own? Some rights then end at its border. */
export function inUserNamespace(): boolean {
  return !/^\s*0\s+0\s+4294967295\s*$/.test(readText('/proc/self/uid_map'));
}

/** May this process do that? `bit` as in <linux/capability.h>. */
export function isCapable(bit: bigint): boolean {
  const status = readText('/proc/self/status');
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return ((effective >> bit) & 1n) === 1n;
}

/** The highest SCHED_FIFO priority that this process may ask for; 0: none. */
export function realtimeLimit(): number {
  if (isCapable(capSysNice)) return 99;
  const [, soft = '0'] =
    /^Max realtime priority\s+(\d+|unlimited)/m.exec(readText('/proc/self/limits')) ?? [];
  return soft === 'unlimited' ? 99 : Number(soft);
}

function readNumber(file: string): number {
  return Number(readText(file)) || 0;
}

/** Empty when it is not there: another kernel, or an interface that has gone. */
function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

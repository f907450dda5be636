// `faild doctor`: looks at this host and says what would keep faild from its job, or from doing it
// well. Reads and measures, and changes nothing but the file that `--fix-file` names. Called by
// cli.ts; what is judged how: findings.ts.
import { readFileSync, writeFileSync } from 'node:fs';
import { codeOf, FaildError, messageOf } from '../base/errors.js';
import { showDuration } from '../base/units.js';
import { version } from '../base/version.js';
import { type KernelLook, lookAtKernel, namespaceId, readRules } from '../cluster/kernel-routes.js';
import type { Status } from '../cluster/status.js';
import { type Config, type DaemonOptions, parseConfig } from '../config/config.js';
import { loadOptions } from '../config/config-file.js';
import { chooseLans } from '../config/interfaces.js';
import { fetchStatus, isAnswered } from '../control/client.js';
import {
  inUserNamespace,
  isCapable,
  measureTimerLatenessUs,
  readClockSource,
  readRpFilters,
  readSysctls,
  realtimeLimit,
} from '../engine/machine.js';
import { type NativeLan, native } from '../engine/native.js';
import { addressesToAsk } from './conflicts.js';
import { checkNames, type Facts, type Finding, findAll, rights, severities } from './findings.js';
import { readManagers } from './managers.js';

/** What `--json` prints. `schema` changes its number only when a field goes or changes meaning. */
export interface Diagnosis {
  schema: 'faild.doctor/1';
  version: string;
  /** No fault and no warning. */
  healthy: boolean;
  /** A daemon answers; what only it knows was looked at too. */
  running: boolean;
  checks: string[];
  timerLatenessUs: number;
  findings: Finding[];
}

/** Bits of <linux/capability.h>. */
const bits: Record<string, bigint> = {
  CAP_NET_ADMIN: 12n,
  CAP_NET_RAW: 13n,
  CAP_IPC_LOCK: 14n,
};

/** Throws all faults of the configuration: with a wrong one there is nothing to judge. */
export async function diagnose(flags: DaemonOptions): Promise<Diagnosis> {
  const facts = await gather(parseConfig(loadOptions(flags).options));
  const findings = findAll(facts);
  return {
    schema: 'faild.doctor/1',
    version,
    healthy: findings.every(({ severity }) => severity === 'advice'),
    running: facts.status !== null,
    checks: checkNames,
    timerLatenessUs: Math.round(facts.around.timerLatenessUs ?? 0),
    findings,
  };
}

async function gather(config: Config & { socket: string }): Promise<Facts> {
  const status = await statusOf(config.socket);
  const interfaces = native.listInterfaces(config.networkNamespace ?? '');
  const chosen = lansOf(config, interfaces);
  const names = chosen.lans.map((lan) => lan.interface);
  // Another namespace's settings cannot be read from here.
  const here = config.networkNamespace === null;
  const wanted = config.transport === 'auto' ? undefined : config.transport;
  const transport = status?.transport ?? wanted;
  return {
    config,
    status,
    interfaces,
    ...chosen,
    around: {
      timerLatenessUs: measureTimerLatenessUs(),
      peers: status?.peers ?? [],
      // Of a daemon that runs, its own word on this counts: missingRights.
      ...(status === null && { realtimeLimit: realtimeLimit() }),
      ...(here && { rpFilters: readRpFilters(names) }),
      ...(transport && { transport }),
    },
    sysctls: here ? readSysctls(sysctlsOf(names)) : new Map(),
    clockSource: readClockSource(),
    inUserNamespace: inUserNamespace(),
    lacking: Object.keys(rights).filter((name) => !isCapable(bits[name] ?? 0n)),
    managers: here ? readManagers(chosen.lans) : { networkd: null, networkManager: null },
    ways: here ? await waysTo(addressesToAsk(status)) : [],
    rules: here ? await readRules() : [],
  };
}

/** None where `ip` is missing: then the kernel's word is not to be had. */
async function waysTo(addresses: readonly string[]): Promise<KernelLook[]> {
  const here = { networkNamespace: null, namespaceId: namespaceId() };
  const seen = await lookAtKernel(addresses, here);
  return 'looks' in seen ? seen.looks : [];
}

async function statusOf(socket: string): Promise<Status | null> {
  try {
    return (await isAnswered(socket)) ? await fetchStatus(socket) : null;
  } catch {
    return null;
  }
}

function lansOf(config: Config, interfaces: Facts['interfaces']) {
  try {
    const { lans, warnings } = chooseLans([...interfaces], config.lans, config.ignoredInterfaces);
    return { lans, lanWarnings: warnings, lansRefused: null };
  } catch (error) {
    return { lans: [] as NativeLan[], lanWarnings: [], lansRefused: messageOf(error) };
  }
}

function sysctlsOf(interfaces: readonly string[]): string[] {
  const thresholds = [1, 2, 3].flatMap((at) =>
    ['ipv4', 'ipv6'].map((family) => `net/${family}/neigh/default/gc_thresh${at}`),
  );
  const arp = ['all', ...interfaces].flatMap((name) =>
    ['arp_ignore', 'arp_announce'].map((key) => `net/ipv4/conf/${name}/${key}`),
  );
  return ['net/core/rmem_max', ...thresholds, ...arp];
}

// --- what it says

export function renderDiagnosis(diagnosis: Diagnosis): string {
  const { findings, running, checks, timerLatenessUs } = diagnosis;
  const lines = findings.flatMap(({ check, severity, found, why, remedy }) => [
    `${severity}: ${check}: ${found}`,
    `    why: ${why}`,
    `    remedy: ${remedy}`,
    '',
  ]);
  const counts = severities.flatMap((severity) => {
    const count = findings.filter((one) => one.severity === severity).length;
    return count === 0 ? [] : [`${count} ${plural(severity, count)}`];
  });
  const unknown = running ? '' : '; no daemon answers: what only it can tell was not looked at';
  const summary = counts.length === 0 ? 'nothing amiss' : counts.join(', ');
  const timers = `timers up to ${showDuration(timerLatenessUs)} late`;
  return `${[...lines, `${checks.length} checks: ${summary}; ${timers}${unknown}`].join('\n')}\n`;
}

function plural(severity: string, count: number): string {
  return count === 1 || severity === 'advice' ? severity : `${severity}s`;
}

// --- the file that mends

const mark = '# Written by faild doctor';

/**
 * A drop-in for sysctl.d; null: no finding is mended by one. `before`: what such a file has said so
 * far, which mended what is not found any more, and would be missed at the next boot.
 */
export function renderFix(findings: readonly Finding[], before = ''): string | null {
  const parts = findings.flatMap(({ found, why, sysctls }) => {
    if (sysctls === undefined) return [];
    const settings = Object.entries(sysctls).map(([name, value]) => `${name} = ${value}`);
    return [['', `# ${found}:`, `# ${why}`, ...settings].join('\n')];
  });
  if (parts.length === 0) return null;
  const now = findings.flatMap(({ sysctls = {} }) => Object.keys(sysctls));
  const kept = settingLines(before).filter((line) => !now.includes(line.split(' = ')[0] ?? ''));
  if (kept.length > 0) parts.unshift(['', '# Found before:', ...kept].join('\n'));
  return `${mark} ${version}; apply it with: sysctl --load THIS-FILE\n${parts.join('\n')}\n`;
}

function settingLines(text: string): string[] {
  return text.split('\n').filter((line) => /^[^#\s]\S* = /.test(line));
}

/** Never over a file that somebody else has written. Returns one line that says what came of it. */
export function writeFix(path: string, findings: readonly Finding[]): string {
  const text = renderFix(findings, earlierFix(path));
  if (text === null) return `nothing that a sysctl would mend: ${path} is left as it is`;
  try {
    writeFileSync(path, text, { mode: 0o644 });
  } catch (error) {
    const line = `--fix-file: cannot write ${path}: ${messageOf(error)}`;
    throw new FaildError(codeOf(error) ?? 'EFIX', line, { cause: error, exitStatus: 2 });
  }
  return `${path} written: apply it with sysctl --load ${path}`;
}

/** What the doctor has written there before; empty: nothing is there. */
function earlierFix(path: string): string {
  const text = textOf(path);
  if (text === '' || text?.startsWith(mark)) return text;
  const line = `--fix-file: ${path} is there and was not written by faild doctor; give another`;
  throw new FaildError('EEXIST', line, { exitStatus: 2 });
}

/** Null: something is there that cannot be read. */
function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? '' : null;
  }
}

// `faild report`: one archive for a bug report, of all that faild's makers will ask for. It needs
// no daemon: what cannot be had is named with the reason. Called by report-run.ts.
import { execFile } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { promisify } from 'node:util';
import { FaildError, messageOf } from '../base/errors.js';
import { version } from '../base/version.js';
import { type DaemonConfig, type DaemonOptions, parseConfig } from '../config/config.js';
import { loadOptions } from '../config/config-file.js';
import { fetchAnswer, fetchStatus, fetchText } from '../control/client.js';
import { check, renderCheck } from '../doctor/check.js';
import { diagnose, renderDiagnosis } from '../doctor/doctor.js';
import { redactConfig, redactLog, redactText } from './report-redact.js';

/** One file of the archive. */
export interface Piece {
  name: string;
  what: string;
  text: string;
  /** Why it is not there; then `text` is empty. */
  missing: string | null;
}

type Source = [name: string, what: string, read: () => Promise<string>];

const run = promisify(execFile);
const patienceMs = 10_000;
const maxOutputBytes = 16 << 20;
/** Some thousand lines. */
const logBytes = 1 << 20;
/** An incident has one cause: of a thousand peers that are down the first ones tell it. */
const mostExplained = 20;

/** Everything, one after another: a host in trouble is not to be asked for all of it at once. */
export async function gatherReport(flags: DaemonOptions, socket: string): Promise<Piece[]> {
  const sources = [
    ...daemonSources(socket),
    ...hostSources(flags),
    ...kernelSources(flags),
    ...(await explanations(socket)),
  ];
  const pieces: Piece[] = [];
  for (const source of sources) pieces.push(await pieceOf(source));
  return [contents(pieces), ...pieces];
}

async function pieceOf([name, what, read]: Source): Promise<Piece> {
  try {
    return { name, what, text: await read(), missing: null };
  } catch (error) {
    return { name, what, text: '', missing: messageOf(error) };
  }
}

function contents(pieces: readonly Piece[]): Piece {
  const lines = pieces.map(({ name, what, missing }) =>
    missing === null ? `${name}: ${what}` : `not there: ${name}: ${what}: ${missing}`,
  );
  const text = [
    `A report of faild ${version}.`,
    '',
    ...lines,
    '',
    'Left out: the arguments of hooks, what hooks wrote, and what looks like a password. Names and',
    'addresses of hosts are in it: look before you send it to strangers.',
    '',
  ].join('\n');
  return { name: 'CONTENTS', what: 'what is here', text, missing: null };
}

function daemonSources(socket: string): Source[] {
  const json = async (path: string, query = {}) => asJson(await fetchAnswer(socket, path, query));
  return [
    ['status.json', 'everything that the daemon knows', () => json('/v1/status')],
    [
      'events.json',
      'what has happened within a day',
      async () => {
        return redactLog(
          JSON.stringify(await fetchAnswer(socket, '/v1/events/recent', { since: '24h' })),
        );
      },
    ],
    ['metrics.txt', 'its counters', () => fetchText(socket, '/metrics')],
  ];
}

function hostSources(flags: DaemonOptions): Source[] {
  const file = (path: string) => () => readFile(path, 'utf8');
  return [
    ['versions.txt', 'of faild, Node and the kernel', versions],
    [
      'config.txt',
      'the configuration as it is read',
      async () => redactConfig(renderCheck(await check(flags))),
    ],
    [
      'doctor.txt',
      'what is amiss on this host',
      async () => {
        return redactText(renderDiagnosis(await diagnose(flags)));
      },
    ],
    ['log.txt', 'the end of the log', async () => redactLog(await logTail(configOf(flags)))],
    ['os-release', 'the distribution', file('/etc/os-release')],
    ['loadavg', 'load of this host', file('/proc/loadavg')],
  ];
}

async function versions(): Promise<string> {
  const { node, v8, uv } = process.versions;
  return `faild ${version}\nnode ${node} (v8 ${v8}, uv ${uv})\nLinux ${release()} ${process.arch}\n`;
}

function configOf(flags: DaemonOptions): DaemonConfig {
  return parseConfig(loadOptions(flags).options);
}

async function logTail({ logFile }: DaemonConfig): Promise<string> {
  if (logFile === null) {
    return await output([
      'journalctl',
      '--unit=faild',
      '--lines=3000',
      '--output=cat',
      '--no-pager',
    ]);
  }
  const handle = await open(logFile, 'r');
  try {
    const { size } = await handle.stat();
    const begin = Math.max(0, size - logBytes);
    const { buffer, bytesRead } = await handle.read(
      Buffer.alloc(size - begin),
      0,
      size - begin,
      begin,
    );
    const text = buffer.toString('utf8', 0, bytesRead);
    return begin === 0 ? text : text.slice(text.indexOf('\n') + 1);
  } finally {
    await handle.close();
  }
}

const sysctls = '^net\\.(core|ipv4\\.(conf|neigh|tcp_r)|ipv6\\.(conf|neigh))|^kernel\\.sched_rt';

/** In the network namespace in which the daemon works. */
function kernelSources(flags: DaemonOptions): Source[] {
  const inside =
    (...argv: string[]) =>
    async () => {
      const { networkNamespace } = configOf(flags);
      const enter = networkNamespace === null ? [] : ['nsenter', `--net=${networkNamespace}`];
      return redactText(await output([...enter, ...argv])); // stable_secret of IPv6
    };
  return [
    ['kernel/links.txt', 'interfaces and their counters', inside('ip', '-d', '-s', 'link')],
    ['kernel/addresses.txt', 'addresses', inside('ip', 'address')],
    ['kernel/rules4.txt', 'routing rules', inside('ip', '-4', 'rule')],
    ['kernel/rules6.txt', 'the same of IPv6', inside('ip', '-6', 'rule')],
    [
      'kernel/routes4.txt',
      'routes of all tables',
      inside('ip', '-4', '-d', 'route', 'show', 'table', 'all'),
    ],
    [
      'kernel/routes6.txt',
      'the same of IPv6',
      inside('ip', '-6', '-d', 'route', 'show', 'table', 'all'),
    ],
    ['kernel/neighbours.txt', 'neighbour entries', inside('ip', '-s', 'neighbour')],
    ['kernel/sysctls.txt', 'its settings', inside('sysctl', '--all', '--pattern', sysctls)],
    [
      'kernel/snmp.txt',
      'counters of the protocols',
      inside('cat', '/proc/net/snmp', '/proc/net/netstat'),
    ],
    [
      'kernel/softnet.txt',
      'packets dropped before any socket',
      inside('cat', '/proc/net/softnet_stat'),
    ],
  ];
}

/** Of every peer of which a path is down. */
async function explanations(socket: string): Promise<Source[]> {
  const peers = await fetchStatus(socket).then(
    (status) => status.peers,
    () => [],
  );
  const down = peers.filter(({ paths }) => paths.some(({ state }) => state === 'down'));
  return down
    .slice(0, mostExplained)
    .map(({ id, name }) => [
      `explain/${id}.json`,
      `why traffic for ${name} goes where it goes`,
      async () => asJson(await fetchAnswer(socket, '/v1/explain', { peer: id })),
    ]);
}

async function output([file = '', ...argv]: readonly string[]): Promise<string> {
  const options = { timeout: patienceMs, maxBuffer: maxOutputBytes };
  try {
    return (await run(file, argv, options)).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    // sysctl ends with an error when one key of a thousand cannot be read.
    if (stdout) return stdout;
    throw new FaildError('EREPORT', `${file}: ${stderr?.trim() || messageOf(error)}`);
  }
}

function asJson(answer: object): string {
  return `${JSON.stringify(answer, null, 2)}\n`;
}

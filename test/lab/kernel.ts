// What the kernel of one host says: the routes, rules and neighbours that faild put there, where a
// packet would go, and every change of routes and rules as it happens. The lab believes this, not
// faild's own word.
import type { ChildProcess } from 'node:child_process';
import { eachLine, Records, type Timed } from './records.js';
import { nowUs } from './shell.js';
import type { Family, Host } from './topology.js';

/** faild's route protocol number (native/base/routes.h). */
export const kRouteProtocol = '213';

export interface Route {
  dst: string;
  dev: string;
  gateway?: string;
  metric?: number;
  table?: string;
  prefsrc?: string;
  nexthops?: { dev: string; gateway?: string }[];
}
export interface Rule {
  priority: number;
  dst?: string;
  dstlen?: number;
  table: string;
  protocol?: string;
}
export interface Neighbour {
  dst: string;
  dev: string;
  lladdr: string;
  state: string[];
}

async function ask<T>(host: Host, ...argv: string[]): Promise<T[]> {
  return JSON.parse((await host.run('ip', '-j', ...argv)) || '[]') as T[];
}

const families = (family?: Family): Family[] => (family ? [family] : [4, 6]);

/** faild's own routes, in every table. */
export async function routes(host: Host, family?: Family): Promise<Route[]> {
  const filter = ['table', 'all', 'proto', kRouteProtocol];
  const found = families(family).map((f) => ask<Route>(host, `-${f}`, 'route', 'show', ...filter));
  return (await Promise.all(found)).flat();
}

/** faild's own rules. Filtered here: `ip rule show protocol N` lists the kernel's own as well. */
export async function rules(host: Host, family?: Family): Promise<Rule[]> {
  const found = families(family).map((f) => ask<Rule>(host, `-${f}`, '-N', 'rule', 'show'));
  return (await Promise.all(found)).flat().filter(({ protocol }) => protocol === kRouteProtocol);
}

/** The neighbour entries that faild keeps. */
export async function neighbours(host: Host): Promise<Neighbour[]> {
  const found = families().map((f) =>
    ask<Neighbour>(host, `-${f}`, 'neigh', 'show', 'proto', kRouteProtocol),
  );
  return (await Promise.all(found)).flat();
}

/** The interface that a packet to `address` would leave by. */
export async function leavesBy(host: Host, address: string): Promise<string> {
  const [route] = await ask<Route>(host, 'route', 'get', address);
  if (!route) throw new Error(`${host.name}: no route to ${address}`);
  return route.dev;
}

/** The source that a packet to `address` would have. */
export async function sourceTo(host: Host, address: string): Promise<string | undefined> {
  const [route] = await ask<Route>(host, 'route', 'get', address);
  return route?.prefsrc;
}

/** Whether each of the host's interfaces has a carrier. */
export async function carriers(host: Host): Promise<boolean[]> {
  const links = await ask<{ ifname: string; flags: string[] }>(host, 'link', 'show');
  return links
    .filter(({ ifname }) => ifname !== 'lo')
    .map(({ flags }) => flags.includes('LOWER_UP'));
}

export interface RouteChange extends Timed {
  text: string;
}

/** Priority of a rule that only this lab makes: a knock, to learn how far a monitor has come. */
const kKnock = '4711';
const kHeardWithinMs = 10_000;

/** Follows route and rule changes of one host. */
export class RouteMonitor {
  readonly changes = new Records<RouteChange>();
  private readonly ended: Promise<unknown>;
  private knocks = 0;

  private constructor(
    private readonly ip: ChildProcess,
    private readonly host: Host,
  ) {
    if (!ip.stdout) throw new Error('ip monitor has no output');
    this.ended = new Promise((resolve) => ip.once('close', resolve));
    eachLine(ip.stdout, (text) => this.changes.push({ text, readUs: nowUs() }));
  }

  /** Resolves once the monitor listens. */
  static async open(host: Host): Promise<RouteMonitor> {
    const stdio = ['ignore', 'pipe', 'inherit'] as const;
    const ip = host.launch(['ip', '-N', 'monitor', 'route', 'rule'], { stdio: [...stdio] });
    const monitor = new RouteMonitor(ip, host);
    let heard = false;
    const seen = monitor.hears(`${kKnock}:`).then(() => {
      heard = true;
    });
    while (!heard) await Promise.race([monitor.knock(), seen]);
    monitor.changes.all.length = 0;
    return monitor;
  }

  /** Resolves when it has said all that happened before: the kernel tells its news in order. */
  async isRead(): Promise<void> {
    await this.hears(` to ${await this.knock()} `);
  }

  async close(): Promise<void> {
    this.ip.kill('SIGKILL');
    await this.ended;
  }

  /** Each to another address: none is taken for an earlier one that is read late. */
  private async knock(): Promise<string> {
    const to = `192.0.2.${1 + (this.knocks++ % 250)}`;
    const rule = ['priority', kKnock, 'to', to, 'lookup', 'main'];
    await this.host.run('ip', 'rule', 'add', ...rule);
    await this.host.run('ip', 'rule', 'delete', ...rule);
    return to;
  }

  private hears(words: string): Promise<unknown> {
    const fits = ({ text }: RouteChange) => text.includes(words);
    return this.changes.waitFor(fits, `${this.host.name}: ip monitor`, kHeardWithinMs);
  }
}

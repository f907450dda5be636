// What the addon's tests share: configurations that are right in every field, and network
// namespaces with two LANs.
import { execFileSync } from 'node:child_process';
import type {
  NativeEngineConfig,
  NativeLan,
  NativePlan,
  NativeRuntimeConfig,
  NativeTiming,
} from '../../lib/engine/native.js';

const usualTiming: NativeTiming = { intervalUs: 10_000, failAfter: 3, restoreAfter: 5 };

/** LAN 0 first, 10 ms x 3, everything else off. */
export const plainPlan: NativePlan = {
  preference: [0, 1],
  drained: [],
  hostDrained: false,
  switchback: 'auto',
  holdUs: 0,
  flapWindowUs: 0,
  grayLoss: 0,
  grayRoundTripUs: 0,
  rtoMinUs: 0,
  source: 'own',
  timing: [usualTiming, usualTiming],
  allowed: [],
};

/** A LAN as host number `host` stands on it: 10.77.<lan + 1>.<host>. */
export function virtualLan(host: number, lan: number): NativeLan {
  return {
    name: 'AB'.charAt(lan),
    interface: `eth${lan}`,
    ifindex: lan + 2,
    mac: `02:00:00:00:0${lan}:0${host}`,
    addresses: [`10.77.${lan + 1}.${host}/24`],
    carrier: true,
  };
}

/** Host number `host` on two LANs, 10 ms x 3, a requestor. */
export function engineConfig(host: number, lans?: NativeLan[]): NativeEngineConfig {
  return {
    host: host.toString(16).padStart(16, '0'),
    incarnation: '0000000000000001',
    name: `host-${host}`,
    cluster: 'addon-test',
    requestor: true,
    maxPeers: 16,
    seed: host,
    lans: lans ?? [virtualLan(host, 0), virtualLan(host, 1)],
    plan: plainPlan,
  };
}

export function runtimeConfig(
  host: number,
  networkNamespace: string,
  lans: NativeLan[],
): NativeRuntimeConfig {
  return {
    ...engineConfig(host, lans),
    port: 9311,
    transport: 'auto',
    destination: 'broadcast',
    multicastGroup: '239.255.93.11',
    staticPeers: [],
    networkNamespace,
    realtimePriority: 50,
    cpu: -1,
  };
}

/** Why no namespace can be made here; undefined when they can. */
export function namespacesRefused(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root for network namespaces';
  return undefined;
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/**
 * Two hosts on two LANs, each LAN a bridge in a namespace of its own that stands in the middle:
 *
 *     host 1 --a0-- bridge A --a1-- host 2
 *           --b0-- bridge B --b1--
 */
export class TwoHosts {
  readonly #prefix: string;
  readonly #middle: string;

  constructor(name: string) {
    this.#prefix = `faild-addon-${name}-${process.pid}`;
    this.#middle = `${this.#prefix}-lan`;
    for (const space of [this.#middle, this.#name(1), this.#name(2)]) {
      ip('netns', 'add', space);
      ip('-n', space, 'link', 'set', 'lo', 'up');
    }
    for (const lan of [0, 1]) this.#addLan(lan);
  }

  path(host: number): string {
    return `/run/netns/${this.#name(host)}`;
  }

  /** Silent in the middle: neither host loses its carrier. */
  setLan(lan: number, state: 'up' | 'down'): void {
    ip('-n', this.#middle, 'link', 'set', `br${lan}`, state);
  }

  remove(): void {
    for (const space of [this.#middle, this.#name(1), this.#name(2)]) ip('netns', 'del', space);
  }

  #name(host: number): string {
    return `${this.#prefix}-${host}`;
  }

  #addLan(lan: number): void {
    ip('-n', this.#middle, 'link', 'add', `br${lan}`, 'type', 'bridge');
    ip('-n', this.#middle, 'link', 'set', `br${lan}`, 'up');
    for (const host of [1, 2]) {
      const far = `p${lan}${host}`;
      const peer = ['type', 'veth', 'peer', 'name', `eth${lan}`, 'netns', this.#name(host)];
      // Another index than the near end has: veth ends with the same one confuse link watching.
      const index = String(100 + lan * 10 + host);
      ip('-n', this.#middle, 'link', 'add', far, 'index', index, ...peer);
      ip('-n', this.#middle, 'link', 'set', far, 'master', `br${lan}`, 'up');
      const address = `10.77.${lan + 1}.${host}/24`;
      ip('-n', this.#name(host), 'addr', 'add', address, 'dev', `eth${lan}`);
      ip('-n', this.#name(host), 'link', 'set', `eth${lan}`, 'up');
    }
  }
}

// What an engine is made with, out of the configuration, the host's identity, its LANs and the first
// plan. Used by faild.ts.
import { randomBytes } from 'node:crypto';
import { type Config, timingOf } from '../config/config.js';
import type { NativeLan, NativePlan, NativeRuntimeConfig, NativeTiming } from '../engine/shapes.js';
import type { Identity } from './identity.js';

/** Of each LAN, in their order. */
export function timingsOf(config: Config, lans: readonly NativeLan[]): NativeTiming[] {
  return lans.map(({ name }) => timingOf(config, name));
}

export function engineConfig(
  config: Config,
  { host, incarnation }: Identity,
  lans: NativeLan[],
  plan: NativePlan,
): NativeRuntimeConfig {
  return {
    host,
    incarnation,
    name: config.hostName,
    cluster: config.cluster,
    requestor: config.requestor,
    maxPeers: config.maxPeers,
    // Nobody else's knowledge: by it peers are found by the ids that they choose themselves.
    seed: randomBytes(6).readUIntBE(0, 6),
    lans,
    plan,
    port: config.port,
    transport: config.transport,
    destination: config.destination,
    multicastGroup: config.multicastGroup,
    staticPeers: config.staticPeers,
    networkNamespace: config.networkNamespace ?? '',
    realtimePriority: config.realtimePriority,
    cpu: config.cpu ?? -1,
  };
}

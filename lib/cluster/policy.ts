// Policy decides beforehand: what the engine shall do at a failure, so that it need not ask anybody
// when one comes. Pure functions from the configuration and the bookkeeping of peers to the plan
// that the engine holds; an embedder may bring his own (`EmbedderOptions.policy`). Called by
// faild.ts at the start, and whenever the configuration changes or the embedder asks.

import { FaildError, messageOf } from '../base/errors.js';
import type { Config } from '../config/config.js';
import { peer } from '../config/kinds.js';
import type { NativeLan, NativePlan, SourceName, SwitchbackName } from '../engine/native.js';
import type { StatusPeer } from './status.js';

/**
 * What the engine executes alone; lib/engine/shapes.ts says what each field means. What the
 * operator drains is his own matter, and the timing that of the configuration: faild.ts adds both.
 */
export type Plan = Omit<NativePlan, 'drained' | 'hostDrained' | 'timing'>;

export interface PolicyInput {
  config: Readonly<Config>;
  /** As the engine numbers them, from its start on. */
  lans: readonly NativeLan[];
  /** Who is known so far, with the state of each path; empty at the start. */
  peers: readonly StatusPeer[];
}

/** Must be quick and must not throw; a plan that the engine could not hold changes nothing. */
export type Policy = (input: PolicyInput) => Plan;

/** The configuration, word by word. */
export const configuredPolicy: Policy = ({ config, lans }) => ({
  preference: preferenceOf(config, lans),
  switchback: config.switchback,
  holdUs: config.holdUs,
  flapWindowUs: config.flapWindowUs ?? 0,
  grayLoss: config.grayLoss ?? 0,
  grayRoundTripUs: config.grayRoundTripUs ?? 0,
  rtoMinUs: config.rtoMinUs ?? 0,
  source: config.source,
  allowed: config.allowedPeers,
});

/** The operator's order of the LANs; those that he did not name come last, as they are. */
function preferenceOf({ lans: wanted }: Config, lans: readonly NativeLan[]): number[] {
  const ranked = lans.map(({ name }, index) => {
    const at = wanted.findIndex((choice) => choice.name === name);
    return { index, rank: at < 0 ? wanted.length : at };
  });
  return ranked.sort((a, b) => a.rank - b.rank).map(({ index }) => index);
}

/** Runs a policy and checks what it says. Throws EBADPLAN with the reason. */
export function makePlan(policy: Policy, input: PolicyInput): Plan {
  let plan: Plan;
  try {
    plan = policy(input);
  } catch (error) {
    throw badPlan(`the policy failed: ${messageOf(error)}`, error);
  }
  const reason = whyBad(plan, input.lans.length);
  if (reason !== null) throw badPlan(reason);
  return plan;
}

/** Null: the engine can hold this plan. */
export function whyBad(plan: unknown, lanCount: number): string | null {
  if (typeof plan !== 'object' || plan === null) return `${String(plan)} is no plan`;
  const { preference, switchback, source, allowed, ...numbers } = plan as Partial<Plan>;
  const each = Array.isArray(preference) ? [...preference].sort((a, b) => a - b) : [];
  if (each.length !== lanCount || each.some((lan, at) => lan !== at)) {
    return `preference: ${JSON.stringify(preference)} must name each LAN, 0 to ${lanCount - 1}, once`;
  }
  if (!switchbacks.includes(switchback as SwitchbackName)) {
    return `switchback: '${switchback}' is none of ${switchbacks.join(', ')}`;
  }
  if (!sources.includes(source as SourceName)) {
    return `source: '${source}' is none of ${sources.join(', ')}`;
  }
  if (!Array.isArray(allowed) || allowed.length > mostAllowed || !allowed.every(isPeer)) {
    return `allowed: ${JSON.stringify(allowed)} is no list of at most ${mostAllowed} subnets, addresses and host ids`;
  }
  for (const [field, most] of Object.entries(mostOf)) {
    const value = (numbers as Record<string, unknown>)[field];
    if (typeof value === 'number' && value >= 0 && value <= most) continue;
    return `${field}: ${value} is no number from 0 to ${most}`;
  }
  return null;
}

const switchbacks: readonly SwitchbackName[] = ['auto', 'sticky', 'manual'];

const sources: readonly SourceName[] = ['own', 'alternate'];

/** kMaxAllowed in native/base/limits.h. */
const mostAllowed = 64;
const isPeer = (value: unknown): boolean => peer().read(value) !== undefined;

const dayUs = 24 * 3600e6;

/** What the engine's own reader allows (native/addon/convert_in.cc), or less. */
const mostOf = {
  holdUs: 30 * dayUs,
  flapWindowUs: dayUs,
  grayLoss: 1,
  grayRoundTripUs: 60e6,
  rtoMinUs: 10e6,
};

function badPlan(reason: string, cause?: unknown): FaildError {
  return new FaildError('EBADPLAN', `plan refused, nothing has changed: ${reason}`, { cause });
}

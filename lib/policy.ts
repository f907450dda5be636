// Policy decides beforehand: what the engine shall do at a failure, so that it need not ask anybody
// when one comes. Pure; called by faild.ts at the start.
import type { NativeLan, NativePlan } from './native.js';

/**
 * Alternates in the order of the LANs (the operator's order, or that of the ifindexes); traffic
 * returns by itself.
 */
export function planFor(lans: readonly NativeLan[]): NativePlan {
  return {
    preference: lans.map((_, index) => index),
    switchback: 'auto',
    holdUs: 0,
    flapWindowUs: 0,
    grayLoss: 0,
    grayRoundTripUs: 0,
  };
}

// Aim: the plan says what the configuration says; a plan that the engine could not hold is refused
// with the reason.
import t from 'tap';
import {
  configuredPolicy,
  makePlan,
  type Plan,
  type Policy,
  whyBad,
} from '../../lib/cluster/policy.js';
import { type FaildOptions, parseConfig } from '../../lib/config/config.js';
import type { NativeLan } from '../../lib/engine/native.js';

const lans = ['A', 'B', 'C'].map((name) => ({ name }) as NativeLan);

function planOf(options: FaildOptions, policy: Policy = configuredPolicy): Plan {
  return makePlan(policy, { config: parseConfig(options), lans, peers: [] });
}

const plain: Plan = {
  preference: [0, 1, 2],
  switchback: 'auto',
  holdUs: 0,
  flapWindowUs: 0,
  grayLoss: 0,
  grayRoundTripUs: 0,
  rtoMinUs: 0,
  source: 'own',
  allowed: [],
};

t.test('the configuration, word by word', async (t) => {
  t.same(planOf({}), plain);
  t.same(
    planOf({
      lan: ['C=eth3', 'A=eth1', 'B=eth2'],
      switchback: 'sticky',
      holdTime: '30s',
      flapWindow: '1min',
      grayLoss: '20%',
      grayRoundTrip: '5ms',
      rtoMin: '4ms',
      source: 'alternate',
      allowPeer: ['10.1.0.0/24', '000000000000000A'],
    }),
    {
      preference: [2, 0, 1],
      switchback: 'sticky',
      holdUs: 30e6,
      flapWindowUs: 60e6,
      grayLoss: 0.2,
      grayRoundTripUs: 5000,
      rtoMinUs: 4000,
      source: 'alternate',
      allowed: ['10.1.0.0/24', '000000000000000a'],
    },
  );
  t.same(planOf({ lan: ['C=eth3'] }).preference, [2, 0, 1], 'the unnamed last, in their order');
});

const bad: [plan: unknown, reason: RegExp][] = [
  [undefined, /^undefined is no plan$/],
  [Promise.resolve(plain), /^preference: undefined must name each LAN, 0 to 2, once$/],
  [{ ...plain, preference: [0, 1] }, /^preference: \[0,1\] must name each LAN/],
  [{ ...plain, preference: [0, 1, 1] }, /^preference: \[0,1,1\]/],
  [{ ...plain, preference: [1, 2, 3] }, /^preference: \[1,2,3\]/],
  [{ ...plain, preference: ['0', '1', '2'] }, /^preference: /],
  [{ ...plain, switchback: 'never' }, /^switchback: 'never' is none of auto, sticky, manual$/],
  [{ ...plain, holdUs: -1 }, /^holdUs: -1 is no number from 0 to 2592000000000$/],
  [{ ...plain, holdUs: Number.NaN }, /^holdUs: NaN/],
  [{ ...plain, grayLoss: 20 }, /^grayLoss: 20 is no number from 0 to 1$/],
  [{ ...plain, flapWindowUs: undefined }, /^flapWindowUs: undefined/],
  [{ ...plain, source: 'mine' }, /^source: 'mine' is none of own, alternate$/],
  [{ ...plain, allowed: ['web1'] }, /^allowed: \["web1"\] is no list of at most 64 subnets/],
  [{ ...plain, allowed: undefined }, /^allowed: undefined/],
  [{ ...plain, rtoMinUs: 11e6 }, /^rtoMinUs: 11000000 is no number from 0 to 10000000$/],
  [{ ...plain, grayRoundTripUs: Number.POSITIVE_INFINITY }, /^grayRoundTripUs: Infinity/],
];

t.test('a plan that cannot be held: the reason', async (t) => {
  t.equal(whyBad(plain, 3), null);
  for (const [plan, reason] of bad) {
    t.match(whyBad(plan, 3), reason);
    t.throws(() => planOf({}, () => plan as Plan), {
      code: 'EBADPLAN',
      message: /^plan refused, nothing has changed: /,
    });
  }
});

t.test('a policy that throws is told, not passed on', async (t) => {
  const fail = (): Plan => {
    throw new TypeError('peers is not iterable');
  };
  t.throws(() => planOf({}, fail), {
    code: 'EBADPLAN',
    message: 'plan refused, nothing has changed: the policy failed: peers is not iterable',
  });
});

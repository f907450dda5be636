// The scenarios, in the order in which they run and stand on the page.
import type { Scenario } from '../scenario.js';
import { blocked } from './blocked.js';
import { cost } from './cost.js';
import { failover, kFifthOfIt, kMillisecond } from './failover.js';
import { instruments } from './instruments.js';
import { peers } from './peers.js';
import { quiet } from './quiet.js';
import { scaleScenarios } from './scale.js';
import { thousand } from './thousand.js';

export const scenarios: Scenario[] = [
  { name: 'instruments', run: instruments },
  { name: kMillisecond.name, run: (scale) => failover(kMillisecond, scale) },
  { name: kFifthOfIt.name, run: (scale) => failover(kFifthOfIt, scale) },
  { name: 'quiet-idle', run: (scale) => quiet('quiet-idle', scale) },
  { name: 'quiet-busy', run: (scale) => quiet('quiet-busy', scale) },
  { name: 'blocked', run: blocked },
  { name: 'thousand-peers', run: thousand },
  ...scaleScenarios,
  { name: 'cost', run: cost },
  { name: 'peers', run: peers },
];

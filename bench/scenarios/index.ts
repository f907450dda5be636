// The scenarios, in the order in which they run and stand on the page.
import type { Scenario } from '../scenario.js';
import { blocked } from './blocked.js';
import { cost } from './cost.js';
import { cutKinds } from './cut-kinds.js';
import { failover, kFifthOfIt, kMillisecond } from './failover.js';
import { instruments } from './instruments.js';
import { ladder } from './ladder.js';
import { micro } from './micro.js';
import { peers } from './peers.js';
import { quiet } from './quiet.js';
import { scaleScenarios } from './scale.js';
import { tcp } from './tcp.js';
import { thousand } from './thousand.js';
import { timeline } from './timeline.js';

export const scenarios: Scenario[] = [
  { name: 'instruments', smoke: true, run: instruments },
  { name: 'micro', smoke: true, run: micro },
  { name: kMillisecond.name, smoke: true, run: (scale) => failover(kMillisecond, scale) },
  { name: 'timeline', smoke: true, run: timeline },
  { name: kFifthOfIt.name, run: (scale) => failover(kFifthOfIt, scale) },
  { name: 'cut-kinds', smoke: true, run: cutKinds },
  { name: 'tcp', smoke: true, run: tcp },
  { name: 'ladder', smoke: true, run: ladder },
  { name: 'quiet-idle', run: (scale) => quiet('quiet-idle', scale) },
  { name: 'quiet-busy', run: (scale) => quiet('quiet-busy', scale) },
  { name: 'blocked', run: blocked },
  { name: 'thousand-peers', smoke: true, run: thousand },
  ...scaleScenarios,
  { name: 'cost', smoke: true, run: cost },
  { name: 'peers', run: peers },
];

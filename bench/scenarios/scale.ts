// The scenarios at cluster scale, in the order of the page.
import type { Scenario } from '../scenario.js';
import { scaleFailures } from './scale-failures.js';
import { scaleGrowth } from './scale-growth.js';
import { scaleHostile } from './scale-hostile.js';
import { scaleQuiet } from './scale-quiet.js';
import { scaleVirtual } from './scale-virtual.js';

export const scaleScenarios: Scenario[] = [
  { name: 'scale-growth', run: scaleGrowth },
  { name: 'scale-quiet', run: scaleQuiet },
  { name: 'scale-failures', run: scaleFailures },
  { name: 'scale-hostile', run: scaleHostile },
  { name: 'scale-virtual', smoke: true, run: scaleVirtual },
];

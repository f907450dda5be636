// The contenders in the order of the page. Who sits below 10 ms beside faild is there to show what
// the setting costs, not because it is stable.
import { birdContenders } from './bird.js';
import type { Contender } from './contender.js';
import { corosyncContenders } from './corosync.js';
import { faildContenders } from './faild.js';
import { frrContenders } from './frr.js';
import { keepalivedContenders } from './keepalived.js';

export const contenders: Contender[] = [
  ...faildContenders,
  ...birdContenders,
  ...frrContenders,
  ...keepalivedContenders,
  ...corosyncContenders,
];

// `npm run demo`: makes the checkout ready, then shows a real failover (test/lab/demo.ts).
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './run.mjs';
import { setup } from './setup.mjs';

setup(['demo'], { withTests: true });
const demo = join(root, 'dist-test/test/lab/demo.js');
const args = process.argv.slice(2);
const { status } = spawnSync(process.execPath, [demo, ...args], { stdio: 'inherit' });
process.exit(status ?? 1);

// An engine at 1 ms for worker.test.ts: in its process, in a child's, and, run as a worker, in that
// worker.
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { native } from '../../lib/engine/native.js';
import { runtimeConfig } from './support.js';

/** A fast engine on the interfaces of a namespace: many wake-ups to collide with. */
export function startEngine(host: number, space: string, onWake?: () => void) {
  const lans = native.listInterfaces(space).filter(({ loopback }) => !loopback);
  const named = lans.map((lan) => ({ ...lan, name: lan.interface }));
  const usual = runtimeConfig(host, space, named);
  const timing = usual.plan.timing.map((lan) => ({ ...lan, intervalUs: 1000 }));
  const config = { ...usual, plan: { ...usual.plan, timing } };
  const engine = new native.Engine(config, onWake ?? (() => void engine.drain()));
  engine.start();
  return engine;
}

if (!isMainThread) {
  startEngine(1, workerData.space);
  parentPort?.postMessage('running');
}

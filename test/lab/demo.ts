// `npm run demo`: a real failover in front of your eyes. Three hosts (network namespaces) on two
// LANs (bridges), a real faild on each, real traffic; three faults that no link light shows, and
// what becomes of the traffic.
//
// Exit status: 0 everything that it claims happened; 1 something did not (it says what, and keeps
// the logs); 3 this machine does not let us make network namespaces (it says how to allow that).
import './in-arena.js';
import { cpSync, existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { leftInArena } from './arena.js';
import { kLogDirectory } from './daemon.js';
import { play, type Scene } from './demo-scene.js';
import { kPicture, type Stage, setStage, strike } from './demo-stage.js';
import { routes, rules } from './kernel.js';
import { Narrator } from './narrator.js';

const kScenes: Scene[] = [
  {
    title: 'LAN A dies in the middle',
    cut: { lan: 'a' },
    cutSays: 'LAN A is cut inside its switch; no host sees its carrier drop',
    healSays: 'LAN A is healed',
    moves: [
      [1, 2],
      [1, 3],
      [2, 1],
      [2, 3],
      [3, 1],
      [3, 2],
    ],
  },
  {
    title: 'One direction only: host1 can hear on LAN A, but nobody hears host1',
    cut: { lan: 'a', host: 1, direction: 'outgoing' },
    cutSays: 'what host1 sends on LAN A is lost; it still hears the others',
    healSays: 'the direction is healed',
    moves: [
      [1, 2],
      [1, 3],
      [2, 1],
      [3, 1],
    ],
  },
  {
    title: "A single host's link: host2's to LAN A",
    cut: { lan: 'a', host: 2 },
    cutSays: 'host2 is cut from LAN A; host1 and host3 still reach each other there',
    healSays: "host2's link is healed",
    moves: [
      [1, 2],
      [2, 1],
      [2, 3],
      [3, 2],
    ],
  },
];

async function main(): Promise<number> {
  const narrator = new Narrator();
  narrator.say('faild: three hosts, two LANs, and what happens when LAN A fails silently');
  narrator.say(kPicture);
  try {
    const stage = await setStage();
    await introduce(stage, narrator);
    for (const scene of kScenes) await play(scene, stage, narrator);
    await leave(stage, narrator);
  } catch (error) {
    narrator.claim('the demo runs to its end', false, (error as Error).message);
  }
  narrator.summary();
  if (narrator.failures.length === 0) return 0;
  if (existsSync(kLogDirectory)) narrator.say(`The daemons' logs: ${keepLogs()}`);
  return 1;
}

async function introduce({ daemons }: Stage, narrator: Narrator): Promise<void> {
  const reports = await Promise.all(daemons.map((daemon) => daemon.status()));
  const up = reports.every(({ status }) =>
    status.peers.every(({ paths }) => paths.every(({ state }) => state === 'up')),
  );
  const complete = reports.every(({ status }) => status.peers.length === daemons.length - 1);
  narrator.claim('the hosts have found each other by themselves; every path is up', up && complete);
  if (reports.some(({ status }) => status.scheduling.mode !== 'fifo')) {
    narrator.say('  (without SCHED_FIFO, which needs root: a busy machine may delay a verdict)');
  }
}

async function leave(stage: Stage, narrator: Narrator): Promise<void> {
  narrator.chapter('The end');
  const ends = await strike(stage);
  narrator.claim(
    'every faild stops cleanly',
    ends.every((end) => end === 0),
    ends.join(', '),
  );
  const { hosts } = stage.topology;
  const entries = await Promise.all(
    hosts.map(async (host) => [await routes(host), await rules(host)]),
  );
  const count = entries.flat(2).length;
  narrator.claim(
    "none of faild's routes and rules is left in any kernel",
    count === 0,
    `${count} are`,
  );
  await stage.topology.destroy();
  const { pids, namespaces } = leftInArena();
  const left = [...pids.map((pid) => `process ${pid}`), ...namespaces];
  narrator.claim('no process and no namespace is left behind', left.length === 0, left.join(', '));
}

// The arena's own directory goes with the arena.
function keepLogs(): string {
  const directory = mkdtempSync(join(tmpdir(), 'faild-demo-'));
  cpSync(kLogDirectory, directory, { recursive: true });
  return directory;
}

process.exit(await main());

// One scene of the demo: something is cut, and healed. Who must move is known beforehand;
// everything else is watched and checked: the daemons' logs for the verdicts, the kernels for the
// routes, the traffic for what users notice.
import { setTimeout as pause } from 'node:timers/promises';
import type { Cut } from './cut.js';
import { type Daemon, isPath, type LogLine } from './daemon.js';
import type { Stage } from './demo-stage.js';
import { carriers, leavesBy } from './kernel.js';
import { type Moment, ms, type Narrator } from './narrator.js';
import { nowUs } from './shell.js';

export interface Scene {
  title: string;
  cut: Cut;
  cutSays: string;
  healSays: string;
  /** [host, peer]: this host's traffic for that peer must leave LAN A. All other pairs stay. */
  moves: [number, number][];
}

/** How long a cut lasts: long enough for TCP, whose own timer starts at 200 ms. */
const kCutMs = 600;
/** How long the traffic is watched after its return. */
const kAfterMs = 300;
/** No claim is about speed, but a failover that takes longer than this has not worked. */
const kPatienceMs = 2000;

export async function play(scene: Scene, stage: Stage, narrator: Narrator): Promise<void> {
  narrator.chapter(scene.title);
  const cutUs = await stage.topology.cuts.cut(scene.cut);
  narrator.zero(cutUs, scene.cutSays);
  await showFailover(scene, stage, narrator, cutUs);

  const healUs = await stage.topology.cuts.heal(scene.cut);
  narrator.tell([{ atUs: healUs, who: '', what: scene.healSays }]);
  await showSwitchback(scene, stage, narrator, healUs);
}

async function showFailover(scene: Scene, stage: Stage, narrator: Narrator, cutUs: number) {
  const seen = await attempt(narrator, 'every host concerned moves its traffic', () =>
    eachMove(scene, stage, 'failover', cutUs),
  );
  await pause(kCutMs - (nowUs() - cutUs) / 1000);
  const stream = await stage.stream.report(cutUs);
  const dialogue = await stage.dialogue.report(cutUs);
  narrator.tell([
    ...seen.map(describeFailover),
    ...routeMoments(stage, cutUs, 'the kernel sends LAN A traffic by LAN B'),
    {
      atUs: stream.gapEndUs,
      who: 'UDP',
      what: `flows again: longest gap ${ms(stream.longestGapUs)}`,
    },
    {
      atUs: dialogue.stallEndUs,
      who: 'TCP',
      what: `resumes: longest wait ${ms(dialogue.longestStallUs)} (its own timer starts at 200)`,
    },
  ]);
  const stillUs = nowUs();
  narrator.claim('no host saw its carrier drop', await allCarriersUp(stage));
  await claimRoutes(scene, stage, narrator, 'cut');
  narrator.claim('UDP flows although LAN A is cut', stream.gapEndUs < stillUs - 50_000);
  narrator.claim('TCP goes on, on the same connection', dialogue.stallEndUs < stillUs - 50_000);
}

async function showSwitchback(scene: Scene, stage: Stage, narrator: Narrator, healUs: number) {
  const seen = await attempt(narrator, 'every host concerned brings its traffic back', () =>
    eachMove(scene, stage, 'switchback', healUs),
  );
  await pause(kAfterMs);
  const stream = await stage.stream.report(healUs);
  const dialogue = await stage.dialogue.report(healUs);
  narrator.tell([
    ...seen.map(describeSwitchback),
    ...routeMoments(stage, healUs, 'the kernel sends LAN A traffic by LAN A'),
  ]);
  await claimRoutes({ ...scene, moves: [] }, stage, narrator, 'healed');
  narrator.claim(
    `packets lost on switchback: ${stream.lost} of ${stream.received + stream.lost}; ` +
      `longest gap ${ms(stream.longestGapUs)}, longest TCP wait ${ms(dialogue.longestStallUs)}`,
    stream.lost === 0 && stream.received > 0,
  );
}

// --- what the daemons say

interface Seen {
  daemon: Daemon;
  line: LogLine;
}

/** One log line for each pair that moves; a whole LAN's line stands for all pairs of its host. */
async function eachMove(
  scene: Scene,
  stage: Stage,
  kind: 'failover' | 'switchback',
  sinceUs: number,
) {
  const seen = scene.moves.map(async ([host, peer]): Promise<Seen> => {
    const daemon = stage.daemons[host - 1] as Daemon;
    const fits = (line: LogLine) =>
      (line.kind === kind && isPath(line.path, stage.topology.host(peer), 'a')) ||
      (line.kind === `lan-${kind}` && line.lan?.name === 'A');
    const what = `${daemon.host.name}: ${kind} for host${peer}`;
    return { daemon, line: await daemon.log.waitFor(fits, what, kPatienceMs, sinceUs) };
  });
  const lines = new Map((await Promise.all(seen)).map((one) => [one.line, one]));
  return [...lines.values()];
}

async function attempt(narrator: Narrator, claim: string, watch: () => Promise<Seen[]>) {
  try {
    return await watch();
  } catch (error) {
    narrator.claim(claim, false, (error as Error).message);
    return [];
  }
}

function describeFailover({ daemon, line }: Seen): Moment {
  const subject = line.path ? `${line.path.peer.name} on LAN A` : 'LAN A';
  const what =
    `judges ${subject} dead: ${because(line)}; failed over in ` +
    `${ms((line.detectUs ?? 0) + (line.applyUs ?? 0))}`;
  return { atUs: line.monotonicUs ?? line.readUs, who: daemon.host.name, what };
}

function because({ reason = '', missed = 0, lastHeardUs = 0 }: LogLine): string {
  const silent = `${missed} missed, last heard ${ms(lastHeardUs)} ago`;
  const words: Record<string, string> = {
    silent,
    'lan-silent': `all peers silent, ${silent}`,
    'not-heard': 'the others do not hear us',
  };
  return words[reason] ?? reason;
}

function describeSwitchback({ daemon, line }: Seen): Moment {
  const subject = line.path ? `${line.path.peer.name} on LAN A` : 'LAN A';
  const what = `${subject} is proven good again: switched back`;
  return { atUs: line.monotonicUs ?? line.readUs, who: daemon.host.name, what };
}

// --- what the kernels say

function routeMoments(stage: Stage, sinceUs: number, what: string): Moment[] {
  return stage.monitors.flatMap((monitor, i) => {
    const [first] = monitor.changes.between(sinceUs);
    return first ? [{ atUs: first.readUs, who: `host${i + 1}`, what }] : [];
  });
}

async function allCarriersUp({ topology }: Stage): Promise<boolean> {
  const seen = await Promise.all(topology.hosts.map(carriers));
  return seen.flat().every((carrier) => carrier);
}

/** Asks every kernel for every peer's address on LAN A. */
async function claimRoutes(scene: Scene, { topology }: Stage, narrator: Narrator, when: string) {
  const wrong: string[] = [];
  for (const host of topology.hosts) {
    for (const peer of topology.hosts.filter((other) => other !== host)) {
      const moved = scene.moves.some(([a, b]) => a === host.number && b === peer.number);
      const by = await leavesBy(host, peer.address('a'));
      if (by !== (moved ? 'lanb' : 'lana')) wrong.push(`${host.name} -> ${peer.name} by ${by}`);
    }
  }
  const whole =
    when === 'healed' ? 'all traffic takes its own LAN' : 'just the traffic concerned takes LAN B';
  narrator.claim(`the kernels' routes agree: ${whole}`, wrong.length === 0, wrong.join(', '));
}

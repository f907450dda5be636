// The commands that ask a running daemon or tell it to act: status, peers, paths, events, explain,
// probes, failover, switchback, drain, undrain, reload. Each is a short table, or the whole answer
// with `--json`. Added to the command line by cli.ts; what they need is loaded when one runs.
//
// Exit status, as of all commands: 0 done, and all is well; 1 what was asked for is not well, or
// was not done; 2 bad usage, or no such peer or LAN; 3 no daemon answers; 4 its engine's thread
// does not.
import type { Command } from 'commander';
import { FaildError } from '../base/errors.js';
import { readDuration } from '../base/units.js';
import type { Explanation } from '../cluster/explain.js';
import type { HostDrainAnswer } from '../cluster/host-drain.js';
import type { MoveAction, MoveAnswer } from '../cluster/moves.js';
import type { StatusEngine } from '../cluster/status.js';
import type { PathsView, PeersView } from '../cluster/views.js';
import type { DaemonOptions } from '../config/config.js';
import type { EventsAnswer, ProbesAnswer } from '../control/routes.js';
import { type Add, type Glance, printJson } from './options.js';

interface Shown extends DaemonOptions {
  json?: true;
}
interface EventsShown extends Shown {
  follow?: true;
  since?: string;
}

interface DrainShown extends Shown {
  host?: true;
}

interface ProbesShown {
  json?: true;
  live?: true;
  lan?: string;
}

const exitOf = { hung: 4 };
const asJson = ['--json', 'the whole answer as JSON instead of the table'] as const;

export function addVerbs(add: Add, glance: Glance): void {
  const socketOf = async (command: Command): Promise<string> => {
    const { socket, config } = command.optsWithGlobals<DaemonOptions>();
    const given = {
      ...(socket !== undefined && { socket }),
      ...(config !== undefined && { config }),
    };
    return (await glance(given)).socket;
  };
  add('status', 'show LANs, peers and paths; exit status 1 if a path is down')
    .option('--json', 'the whole status document instead of the table')
    .addHelpText('after', helpOf('a path is down', statusExamples))
    .action(async (options: Shown, command: Command) =>
      showStatus(await socketOf(command), options),
    );
  add('peers', 'show the peers, a line each')
    .option(...asJson)
    .addHelpText('after', helpOf('a peer is down on every LAN', peersExamples))
    .action(async (options: Shown, command: Command) =>
      showPeers(await socketOf(command), options),
    );
  add('paths', 'show the paths, a line each: of all peers, or of one')
    .argument('[peer]', "a peer's name or id")
    .option(...asJson)
    .addHelpText('after', helpOf('a path is down', pathsExamples))
    .action(async (peer: string | undefined, options: Shown, command: Command) =>
      showPaths(await socketOf(command), peer, options),
    );
  add('events', 'show what has happened, or follow it')
    .option('-f, --follow', 'go on with what happens from now on')
    .option('--since <duration>', 'begin so long ago, such as 5min (default: all that is kept)')
    .option('--json', 'one JSON object; with -f one a line')
    .addHelpText(
      'after',
      helpOf('there were more events in that time than are kept', eventsExamples),
    )
    .action(async (options: EventsShown, command: Command) =>
      showEvents(await socketOf(command), options),
    );
  add('explain', 'tell why traffic for a peer goes where it goes')
    .argument('<peer>', "its name or id, as in 'faild peers'")
    .option(...asJson)
    .addHelpText('after', helpOf('a path of this peer is down', explainExamples))
    .action(async (peer: string, options: Shown, command: Command) =>
      showExplanation(await socketOf(command), peer, options),
    );
  add('probes', 'show the last probes of the paths, or follow them packet by packet')
    .argument('[peer]', "a peer's name or id")
    .option('--lan <lan>', 'of this LAN alone')
    .option('--live', 'go on with those that pass from now on')
    .option('--json', 'one JSON object; with --live one a line')
    .addHelpText('after', helpOf('there are more paths than are shown', probesExamples))
    .action(async (peer: string | undefined, options: ProbesShown, command: Command) =>
      showProbes(await socketOf(command), peer, options),
    );
  addMoves(add, socketOf);
  add('reload', 'let the running daemon read its configuration again')
    .option('--json', 'the whole answer as JSON instead of lines')
    .addHelpText('after', helpOf('the daemon could not apply it', reloadExamples))
    .action(async (options: Shown, command: Command) => reload(await socketOf(command), options));
}

function addMoves(add: Add, socketOf: (command: Command) => Promise<string>): void {
  for (const action of ['failover', 'switchback'] as const) {
    add(action, moveTexts[action])
      .argument('<lan>', 'a LAN by name')
      .argument('[peer]', "a peer's name or id; all that are known, without it")
      .option(...asJson)
      .addHelpText('after', helpOf('traffic did not move: nothing else reaches the peer', moveHelp))
      .action(async (lan: string, peer: string | undefined, options: Shown, command: Command) =>
        move(await socketOf(command), action, { lan, peer }, options),
      );
  }
  for (const action of ['drain', 'undrain'] as const) {
    add(action, moveTexts[action])
      .argument('[lan]', 'a LAN by name')
      .option('--host', 'the whole host: peers take its silence for planned')
      .option(...asJson)
      .addHelpText('after', helpOf(drainNotWell, drainHelp))
      .action(async (lan: string | undefined, options: DrainShown, command: Command) => {
        if ((lan === undefined) === !options.host) throw unclearDrain(action);
        const socket = await socketOf(command);
        if (lan === undefined) await drainHost(socket, action, options);
        else await move(socket, action, { lan, peer: undefined }, options);
      });
  }
}

const moveTexts: Record<MoveAction, string> = {
  failover: 'move traffic for the addresses on a LAN to the alternates, and keep it there',
  switchback: 'let traffic return that was moved by hand, or that waits for this',
  drain: 'free a LAN of traffic before maintenance, or announce that this host will be away',
  undrain: 'let traffic return to a LAN, or say that this host is back',
};

const statusExamples = `
  faild status
  faild status --json | jq '.peers[].paths[] | select(.state == "down")'`;
const peersExamples = `
  faild peers
  faild peers --json | jq -r '.peers[] | select(.state != "up") | .name'`;
const pathsExamples = `
  faild paths host7
  faild paths --json | jq '.paths[] | select(.loss > 0.01)'`;
const eventsExamples = `
  faild events --since 10min
  faild events -f --since 1h
  faild events -f --json | jq -c 'select(.kind == "failover")'`;
const probesExamples = `
  faild probes host7
  faild probes --live host7 --lan A
  faild probes --live --json | jq -c 'select(.lateUs > 1000)'`;
const explainExamples = `
  faild explain host7`;
const moveHelp = `
  faild failover A host7    traffic for host7's address on LAN A takes another LAN
  faild switchback A host7  and may return
Only this host's own traffic is moved. To take a LAN out of service, drain it.`;
const drainNotWell =
  'traffic stays: nothing else reaches some peer (--host: a peer did not acknowledge it)';
const drainHelp = `
  faild drain A             then work on LAN A; faild paths shows who is still reached by it
  faild undrain A
  faild drain --host        then reboot: no peer will blame this host for its silence
  faild undrain --host
A drain lasts until 'undrain', over restarts as well.`;
const reloadExamples = `
  faild check && sudo faild reload`;

function helpOf(notWell: string, more: string): string {
  return `
Exit status: 0 all is well, 1 ${notWell},
2 bad usage or no such name, 3 no daemon answers, 4 its engine's thread does not.

Examples:${more}`;
}

async function showStatus(socket: string, { json }: Shown): Promise<void> {
  const { fetchStatus } = await import('../control/client.js');
  const { renderStatus } = await import('../text/status.js');
  const { anyPathDown } = await import('../cluster/status.js');
  const status = await fetchStatus(socket);
  finish(status, json, renderStatus(status), anyPathDown(status));
}

async function showPeers(socket: string, { json }: Shown): Promise<void> {
  const { fetchAnswer } = await import('../control/client.js');
  const { renderPeers } = await import('../text/views.js');
  const view = await fetchAnswer<PeersView>(socket, '/v1/peers');
  finish(
    view,
    json,
    renderPeers(view),
    view.peers.some(({ state }) => state === 'down'),
  );
}

async function showPaths(socket: string, peer: string | undefined, { json }: Shown): Promise<void> {
  const { fetchAnswer } = await import('../control/client.js');
  const { renderPaths } = await import('../text/views.js');
  const view = await fetchAnswer<PathsView>(socket, '/v1/paths', { peer });
  finish(
    view,
    json,
    renderPaths(view),
    view.paths.some(({ state }) => state === 'down'),
  );
}

async function showEvents(socket: string, { json, follow, since }: EventsShown): Promise<void> {
  if (since !== undefined && readDuration(since) === undefined) {
    const line = `--since: '${since}' is not accepted; give a duration, such as 5min`;
    throw new FaildError('EINVAL', line, { exitStatus: 2 });
  }
  const { fetchAnswer, followEvents } = await import('../control/client.js');
  const { renderEvent } = await import('../text/views.js');
  if (follow) {
    for await (const event of followEvents(socket, since)) {
      process.stdout.write(json ? `${JSON.stringify(event)}\n` : renderEvent(event));
    }
    return;
  }
  const answer = await fetchAnswer<EventsAnswer>(socket, '/v1/events/recent', { since });
  const missing = since !== undefined && !answer.complete;
  finish(answer, json, answer.events.map(renderEvent).join(''), missing);
}

async function showExplanation(socket: string, peer: string, { json }: Shown): Promise<void> {
  const { fetchAnswer } = await import('../control/client.js');
  const { addressesOf, renderExplanation } = await import('../text/explain.js');
  const { lookAtKernel } = await import('../cluster/kernel-routes.js');
  const answer = await fetchAnswer<Explanation>(socket, '/v1/explain', { peer });
  const addresses = answer.paths.flatMap(({ path }) => addressesOf(path.addresses));
  const seen = await lookAtKernel(addresses, answer.network);
  const told =
    'why' in seen
      ? { ...answer, kernel: null, kernelWhy: seen.why }
      : { ...answer, kernel: seen.looks, kernelWhy: null };
  const down = answer.paths.some(({ path }) => path.state === 'down');
  finish(told, json, renderExplanation(told), down);
}

async function showProbes(
  socket: string,
  peer: string | undefined,
  { json, live, lan }: ProbesShown,
): Promise<void> {
  const { fetchAnswer, followProbes } = await import('../control/client.js');
  const { renderProbes, renderSeen } = await import('../text/probes.js');
  if (live) {
    for await (const line of followProbes(socket, { peer, lan })) {
      process.stdout.write(json ? `${JSON.stringify(line)}\n` : renderSeen(line));
    }
    return;
  }
  const answer = await fetchAnswer<ProbesAnswer>(socket, '/v1/probes/recent', { peer, lan });
  finish(answer, json, renderProbes(answer), !answer.complete);
}

async function move(
  socket: string,
  action: MoveAction,
  query: { lan: string; peer: string | undefined },
  { json }: Shown,
): Promise<void> {
  const { askToAct } = await import('../control/client.js');
  const { renderMove, wasDone } = await import('../text/moves.js');
  const answer = await askToAct<MoveAnswer>(socket, `/v1/${action}`, query);
  finish(answer, json, renderMove(answer), !wasDone(answer));
}

async function reload(socket: string, { json }: Shown): Promise<void> {
  const { askReload } = await import('../control/client.js');
  const { renderReload } = await import('../control/reload.js');
  const answer = await askReload(socket);
  finish(answer, json, renderReload(answer), false);
}

async function drainHost(
  socket: string,
  action: 'drain' | 'undrain',
  { json }: Shown,
): Promise<void> {
  const { askToAct } = await import('../control/client.js');
  const { renderHostDrain } = await import('../text/moves.js');
  const answer = await askToAct<HostDrainAnswer>(socket, `/v1/${action}-host`);
  finish(answer, json, renderHostDrain(answer), answer.untold.length > 0);
}

function unclearDrain(action: string): FaildError {
  const ways = `'faild ${action} LAN', or 'faild ${action} --host' for the whole host`;
  const line = `${action}: say what: ${ways}`;
  return new FaildError('EINVAL', line, { exitStatus: 2 });
}

/** A thread that hangs outweighs what it said last. */
function finish(
  answer: { engine: StatusEngine },
  json: true | undefined,
  text: string,
  notWell: boolean,
): void {
  if (json) printJson(answer);
  else process.stdout.write(text);
  process.exitCode = answer.engine.alive ? Number(notWell) : exitOf.hung;
}

// The demo's stage: three hosts on two LANs, a faild on each, traffic between the first two, and
// route monitors.
import { type Daemon, type DaemonOptions, Daemon as Faild } from './daemon.js';
import { Agent, Dialogue, Stream } from './flows.js';
import { RouteMonitor } from './kernel.js';
import { type Host, Topology } from './topology.js';

export interface Stage {
  topology: Topology;
  daemons: Daemon[];
  monitors: RouteMonitor[];
  agents: Agent[];
  stream: Stream;
  dialogue: Dialogue;
}

export const kPicture = `
      host1             host2             host3       a faild on each: inquires on each LAN
    A       B         A       B         A       B     every 10 ms; 3 missed: dead; 10 heard: good
    |       |         |       |         |       |
    +-------|---------+-------|---------+-------|---  LAN A  10.1.0.0/24  carries all traffic
            +-----------------+-----------------+---  LAN B  10.2.0.0/24  stands by

    Traffic from host1 to host2, 10.1.0.1 to 10.1.0.2 throughout: a UDP datagram every
    millisecond, and a TCP connection with a request 1 ms after each response.
`;

export const kSettings: DaemonOptions = { interval: 0.01, failAfter: 3, restoreAfter: 10 };

export async function setStage(): Promise<Stage> {
  const topology = await Topology.create({ hosts: 3, lans: 2 }, 'demo');
  const { hosts } = topology;
  const daemons = await Promise.all(hosts.map((host) => Faild.start(host, kSettings)));
  await Promise.all(daemons.map((daemon) => knowsAll(daemon, hosts)));
  const monitors = await Promise.all(hosts.map((host) => RouteMonitor.open(host)));
  const [from, to] = [Agent.start(topology.host(1)), Agent.start(topology.host(2))];
  const stream = await Stream.start({ from, to, lan: 'a' });
  const dialogue = await Dialogue.start({ from, to, lan: 'a' });
  return { topology, daemons, monitors, agents: [from, to], stream, dialogue };
}

function knowsAll(daemon: Daemon, hosts: readonly Host[]): Promise<unknown> {
  const peers = hosts.filter((host) => host !== daemon.host);
  return Promise.all(peers.map((peer) => daemon.knows(peer)));
}

/** Takes everything down; returns how each daemon ended. */
export async function strike(stage: Stage): Promise<(number | NodeJS.Signals)[]> {
  await Promise.all(stage.agents.map((agent) => agent.close()));
  const ends = await Promise.all(stage.daemons.map((daemon) => daemon.stop()));
  await Promise.all(stage.monitors.map((monitor) => monitor.close()));
  return ends;
}

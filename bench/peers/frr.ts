// FRR: bfdd with OSPF (frr-ospf.conf) or BGP (frr-bgp.conf). Its daemons are started as Debian
// starts them, as user frr, zebra first and each waited for (who does not find zebra at once asks
// again only after ten seconds); then vtysh gives them their configuration.
//
// FRR keeps sockets below /run, which is the lab's own, and crash logs below /var/tmp, over which
// each daemon gets a tmpfs of its own.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { outcome, run } from '../../test/lab/shell.js';
import type { Contender, End, Site, Timing } from './contender.js';
import { atRealtime, configure, PeerProcess, routeProblems, until, versionOf } from './process.js';

const kDaemons = '/usr/lib/frr';
const kStartMs = 5000;
const kVtysh = 'vtysh.conf';

interface Setting {
  name: string;
  protocol: 'ospf' | 'bgp';
  setting: string;
  values: Record<string, unknown>;
  realtime?: boolean;
  timing: Timing;
}

class Frr implements End {
  private readonly daemons: PeerProcess[] = [];
  private readonly instance: string; // FRR's own word for what keeps two on one machine apart
  private readonly sockets: string;

  private constructor(
    private readonly site: Site,
    private readonly order: Setting,
  ) {
    this.instance = site.host.netns;
    this.sockets = `/run/frr/${this.instance}`;
  }

  static async start(site: Site, order: Setting): Promise<Frr> {
    const frr = new Frr(site, order);
    try {
      await frr.startDaemons();
      await frr.configure();
      return frr;
    } catch (error) {
      await frr.stop();
      throw error;
    }
  }

  async problems(): Promise<string[]> {
    for (const daemon of this.daemons) daemon.mustRun();
    const peers = JSON.parse(await this.vtysh('-c', 'show bfd peers json')) as { status: string }[];
    const down = peers.filter(({ status }) => status !== 'up');
    const route = new RegExp(`^10\\.9\\.0\\.${this.site.other.number} .* dev lana `);
    return [
      ...(peers.length === 2 && down.length === 0 ? [] : ['BFD is not up on both LANs']),
      ...(await routeProblems(this.site, route)),
    ];
  }

  async stop(): Promise<void> {
    // zebra last: it takes out of the kernel what the others withdraw.
    for (const daemon of this.daemons.reverse()) await daemon.stop();
    // Or the next turn's daemons would be taken for ready by these.
    rmSync(this.sockets, { recursive: true, force: true });
  }

  private async startDaemons(): Promise<void> {
    writeFileSync(`${this.site.directory}/${kVtysh}`, ''); // vtysh's own, and it wants one
    await run(['install', '-d', '-o', 'frr', '-g', 'frr', '/run/frr', this.sockets]);
    for (const name of ['zebra', 'bfdd', this.order.protocol === 'ospf' ? 'ospfd' : 'bgpd']) {
      this.startDaemon(name);
      await this.joined(name);
    }
  }

  private startDaemon(name: string): void {
    const own = ['-N', this.instance, '-f', '/dev/null', '--log', 'stdout'];
    const command = [`${kDaemons}/${name}`, ...own];
    const argv = this.order.realtime ? atRealtime(command) : command;
    const apart = 'mount -t tmpfs frr /var/tmp && exec "$@"';
    const daemon = ['unshare', '--mount', 'sh', '-c', apart, 'sh', ...argv];
    this.daemons.push(PeerProcess.start(this.site, name, daemon));
  }

  /** Its socket for vtysh is there, and zebra knows it: BFD's orders travel by zebra. */
  private joined(name: string): Promise<void> {
    const client = new RegExp(`^${name.replace(/d$/, '')} `, 'm');
    const problems = async () => {
      for (const daemon of this.daemons) daemon.mustRun();
      if (!existsSync(`${this.sockets}/${name}.vty`)) return [`no ${name}.vty`];
      if (name === 'zebra') return [];
      const asked = await outcome(this.vtyshArgv('-c', 'show zebra client summary'));
      return client.test(asked.stdout) ? [] : [`zebra does not know ${name}: ${asked.stderr}`];
    };
    return until(`${this.site.host.name}: FRR`, problems, kStartMs);
  }

  private async configure(): Promise<void> {
    const { site, order } = this;
    await this.vtysh('-f', configure(site, `frr-${order.protocol}.conf`, order.values));
  }

  private vtysh(...argv: string[]): Promise<string> {
    return run(this.vtyshArgv(...argv));
  }

  private vtyshArgv(...argv: string[]): string[] {
    return ['vtysh', '--vty_socket', this.sockets, '--config_dir', this.site.directory, ...argv];
  }
}

const frr = (order: Setting): Contender => ({
  ...order,
  peer: `FRR bfdd + ${order.protocol.toUpperCase()}`,
  program: `${kDaemons}/bfdd`,
  version: () => versionOf([`${kDaemons}/bfdd`, '--version'], /version ([\d.]+)/),
  address: (host) => `10.9.0.${host.number}`,
  start: (site) => Frr.start(site, order),
});

// 10 ms is the least that bfdd takes.
const kLowest = '  receive-interval 10\n  transmit-interval 10\n  detect-multiplier 3';
export const frrContenders: Contender[] = [
  frr({
    name: 'frr-ospf-default',
    protocol: 'ospf',
    setting: '300 ms x 3 (default)',
    values: { bfd: '  ! as it is' },
    timing: { intervalMs: 300, holdMs: 1300, settleMs: 2500, cuts: 2 },
  }),
  frr({
    name: 'frr-ospf-10ms',
    protocol: 'ospf',
    setting: '10 ms x 3 (the lowest there is), SCHED_FIFO',
    values: { bfd: kLowest },
    realtime: true,
    timing: { intervalMs: 10, holdMs: 150, settleMs: 1300, cuts: 5 },
  }),
  frr({
    name: 'frr-bgp-10ms',
    protocol: 'bgp',
    setting: '10 ms x 3 (the lowest there is), SCHED_FIFO',
    values: { bfd: kLowest },
    realtime: true,
    timing: { intervalMs: 10, holdMs: 250, settleMs: 4000, cuts: 2 },
  }),
];

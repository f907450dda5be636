// The real systemd-networkd, managing the LANs of one host of the lab. It gets a mount namespace of
// its own, in which a folder of the arena stands for /etc/systemd and /run: it reads nothing of the
// machine's configuration and leaves nothing behind. It needs neither systemd nor D-Bus.
import type { ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { kArenaDirectory } from './arena.js';
import type { Lab } from './lab.js';
import type { Host } from './topology.js';

export const kNetworkd = '/usr/lib/systemd/systemd-networkd';

const kPatienceMs = 30_000;
const kConfiguration = 'etc/systemd/network';

/** It gives up root for the user of this name: here they are one, as an arena may have but one. */
const kUsers = 'root:x:0:0::/:/bin/sh\nsystemd-network:x:0:0::/:/bin/false\n';

export class Networkd {
  /** What it takes for the machine's root. */
  readonly root: string;
  private child: ChildProcess | null = null;
  private readonly devices = new Map<string, number>();

  private constructor(
    private readonly lab: Lab,
    readonly host: Host,
  ) {
    this.root = join(kArenaDirectory, `${host.netns}.machine`);
  }

  /** Configures it, to give the host's LANs the addresses that they have, and does not start it. */
  static async prepare(t: Test, lab: Lab, host: Host): Promise<Networkd> {
    const networkd = new Networkd(lab, host);
    const links = JSON.parse(await host.run('ip', '-j', 'link', 'show')) as Link[];
    for (const { ifname, ifindex } of links) networkd.devices.set(ifname, ifindex);
    networkd.write('etc/passwd', kUsers);
    for (const lan of host.lans) networkd.describe(lan);
    mkdirSync(join(networkd.root, 'run/systemd'));
    t.teardown(() => networkd.stop());
    return networkd;
  }

  /** A drop-in of packaging/, at its place below /etc/systemd. */
  install(from: string, folder: string): void {
    cpSync(join('packaging', from), join(this.root, 'etc/systemd', folder, 'faild.conf'));
  }

  /** Starts it; resolves when it has done with every LAN all that it does at a start. */
  async start(): Promise<void> {
    rmSync(join(this.root, 'run/systemd/netif'), { recursive: true, force: true });
    const lines = [
      'mount -t sysfs sysfs /sys',
      `mount --bind ${this.root}/etc/systemd /etc/systemd`,
      `mount --bind ${this.root}/etc/passwd /etc/passwd`,
      `exec > ${this.root}/log 2>&1`,
      `mount --bind ${this.root}/run /run`,
      `exec ${kNetworkd}`,
    ];
    const argv = ['unshare', '--mount', 'sh', '-ec', lines.join('\n')];
    // Its log shall not go to the kernel's.
    const env = { ...process.env, SYSTEMD_LOG_TARGET: 'console', SYSTEMD_LOG_LEVEL: 'debug' };
    this.child = this.host.launch(argv, { stdio: ['ignore', 'inherit', 'inherit'], env });
    await this.says('ADMIN_STATE=configured', this.host.lans);
  }

  async stop(): Promise<void> {
    const { child } = this;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill();
    await ended;
  }

  /** Waits until its own word on each of these LANs has this line. */
  async says(line: string, lans: readonly string[]): Promise<void> {
    await this.lab.until(
      `networkd: ${line}`,
      async () => {
        if (this.child?.exitCode !== null) throw new Error(`networkd ended: ${this.lastWords()}`);
        return lans.filter((lan) => !this.state(`lan${lan}`).split('\n').includes(line));
      },
      kPatienceMs,
    );
  }

  private state(device: string): string {
    return this.read(`run/systemd/netif/links/${this.devices.get(device)}`);
  }

  private lastWords(): string {
    return this.read('log').trim().split('\n').slice(-5).join('; ');
  }

  private read(path: string): string {
    try {
      return readFileSync(join(this.root, path), 'utf8');
    } catch {
      return '';
    }
  }

  private describe(lan: string): void {
    const addresses = [`${this.host.address(lan, 4)}/24`, `${this.host.address(lan, 6)}/64`];
    const lines = ['[Match]', `Name=lan${lan}`, '[Network]'];
    lines.push(...addresses.map((address) => `Address=${address}`));
    // It would be `configured` only when no router has answered for 12 s.
    lines.push('IPv6AcceptRA=no', '');
    this.write(`${kConfiguration}/lan${lan}.network`, lines.join('\n'));
    // What udev says of a device that it has seen. Without udev, networkd judges a device before it
    // has read the kernel's routes, and finds none to remove.
    this.write(`run/udev/data/n${this.devices.get(`lan${lan}`)}`, 'I:1\n');
  }

  private write(path: string, text: string): void {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

interface Link {
  ifname: string;
  ifindex: number;
}

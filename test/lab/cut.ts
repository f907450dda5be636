// Silent cuts in the middle of a LAN: frames vanish inside the switch, and every host keeps its
// carrier.
//
// The switches' namespace has an nftables table at the bridges' forward hook, with a set of ports
// whose frames are dropped as they come in and one of ports to which nothing goes out. One nft
// process stays open and takes commands on its standard input: a cut is one write, and no process
// is started near the instant that a measurement looks at. From the write to the last frame
// through: 0.5 to 1 ms, with user namespaces as well (measured; the other ways, `ip link`, `bridge
// link`, take 3 to 20 ms, and `tc` needs rights that a user namespace does not give).
import type { ChildProcess } from 'node:child_process';
import { setImmediate as turn } from 'node:timers/promises';
import { inside, launch, nowUs, run } from './shell.js';
import { type LanLetter, portOf } from './topology.js';

/** A LAN; one host's link to it; or one direction of that link, as the host sees it. */
export interface Cut {
  lan: LanLetter;
  host?: number;
  direction?: 'outgoing' | 'incoming';
}

const kTable = 'faild-lab';
const kRules = `
table bridge ${kTable} {
  set outgoing { type ifname; }
  set incoming { type ifname; }
  chain forward {
    type filter hook forward priority 0; policy accept;
    iifname @outgoing drop
    oifname @incoming drop
  }
}
`;
const kAcknowledgment = `table bridge ${kTable}\n`;

export class Cuts {
  private pending: (() => void) | undefined;
  private said = '';
  private complaint = '';
  private readonly ended: Promise<void>;

  private constructor(
    private readonly nft: ChildProcess,
    private readonly hosts: number,
  ) {
    nft.stderr?.on('data', (text) => {
      this.complaint += text;
    });
    nft.stdout?.on('data', (text) => {
      this.said += text;
      if (this.said.endsWith(kAcknowledgment)) this.pending?.();
    });
    this.ended = new Promise((resolve) => nft.once('close', () => resolve()));
  }

  static async open(switches: string, hosts: number): Promise<Cuts> {
    await run(inside(switches, ['nft', '-f', '-']), { input: kRules });
    const nft = launch(inside(switches, ['nft', '-i']), { stdio: 'pipe' });
    const cuts = new Cuts(nft, hosts);
    await cuts.command('');
    return cuts;
  }

  /**
   * Cuts, several at one instant; the answer is when, in microseconds. Has taken effect when the
   * promise resolves.
   */
  cut(...what: Cut[]): Promise<number> {
    return this.command(what.map((one) => this.elements('add', one)).join('; '));
  }

  /** Undoes exactly these cuts. */
  heal(...what: Cut[]): Promise<number> {
    return this.command(what.map((one) => this.elements('delete', one)).join('; '));
  }

  async close(): Promise<void> {
    this.nft.stdin?.end();
    await this.ended;
  }

  private elements(verb: 'add' | 'delete', { lan, host, direction }: Cut): string {
    const hosts = host ? [host] : Array.from({ length: this.hosts }, (_, i) => i + 1);
    const ports = hosts.map((number) => `"${portOf(lan, number)}"`).join(', ');
    const sets = direction ? [direction] : ['outgoing', 'incoming'];
    return sets.map((set) => `${verb} element bridge ${kTable} ${set} { ${ports} }`).join('; ');
  }

  // nft says nothing when all is well, so each command is followed by a question whose answer is
  // known.
  private async command(text: string): Promise<number> {
    this.said = '';
    const answer = new Promise<void>((resolve, reject) => {
      this.pending = resolve;
      void this.ended.then(() => reject(new Error(`nft ended: ${this.complaint.trim()}`)));
    });
    const at = nowUs();
    this.nft.stdin?.write(`${text}\nlist tables bridge\n`);
    await answer;
    await turn(); // what nft wrote to its standard error came before the answer: let it be read
    const complaint = this.complaint.trim();
    this.complaint = '';
    if (complaint) throw new Error(`nft: ${complaint}`);
    return at;
  }
}

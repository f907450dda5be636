// The truth about the wires: what each LAN does to packets from one host to another. A cut, loss or
// delay belongs to one *direction* between two hosts; a dead LAN or a switch partition is many of
// them. The engines never see this; the reachability check and the invariants judge by it.
import type { Random } from './random.js';

export interface LinkState {
  cut: boolean;
  delayUs: number;
  /** Added to the delay, at random from zero; more than the senders' interval reorders packets. */
  jitterUs: number;
  lossPerMille: number;
  duplicatePerMille: number;
  /** The scenario's promise: never more than this many packets in a row are lost at random. */
  mostLostInARow: number | null;
}

const sound: Readonly<LinkState> = {
  cut: false,
  delayUs: 50,
  jitterUs: 20,
  lossPerMille: 0,
  duplicatePerMille: 0,
  mostLostInARow: null,
};

/** Beyond this, arrivals wander enough to look like a missed packet. */
const steadyJitterUs = 50;

export class Link {
  state: LinkState = { ...sound };
  #lostInARow = 0;
  /** [n]: when n packets in a row had last been lost. */
  readonly #runAtUs: number[] = [];
  #unsteadyUs = Number.NEGATIVE_INFINITY;

  /** Delay, jitter or a plug has changed: to the receiver that may look like loss. */
  noteUnsteady(nowUs: number): void {
    this.#unsteadyUs = nowUs;
  }

  /** The longest run of lost packets that stood at `sinceUs` or later. */
  worstRunSince(sinceUs: number): number {
    let run = this.#lostInARow;
    while ((this.#runAtUs[run + 1] ?? Number.NEGATIVE_INFINITY) >= sinceUs) run++;
    return run;
  }

  wasUnsteadySince(sinceUs: number): boolean {
    return this.state.jitterUs > steadyJitterUs || this.#unsteadyUs >= sinceUs;
  }

  /** One packet on a link that is not cut. */
  carry(nowUs: number, random: Random): number[] {
    const { lossPerMille, duplicatePerMille, mostLostInARow } = this.state;
    const mayLose = mostLostInARow === null || this.#lostInARow < mostLostInARow;
    if (mayLose && random.chance(lossPerMille)) {
      this.noteLost(nowUs);
      return [];
    }
    this.#lostInARow = 0;
    const delay = () => this.state.delayUs + random.below(this.state.jitterUs + 1);
    return random.chance(duplicatePerMille) ? [delay(), delay()] : [delay()];
  }

  noteLost(nowUs: number): void {
    this.#runAtUs[++this.#lostInARow] = nowUs;
  }
}

export class Lans {
  readonly count: number;
  readonly #hosts: number;
  readonly #links: Link[];
  /** `lan * hosts + host` */
  readonly #unplugged = new Set<number>();

  constructor(count: number, hosts: number) {
    this.count = count;
    this.#hosts = hosts;
    this.#links = Array.from({ length: count * hosts * hosts }, () => new Link());
  }

  link(lan: number, from: number, to: number): Link {
    return this.#links[(lan * this.#hosts + from) * this.#hosts + to] as Link;
  }

  /** Changes what the LAN does to packets from one host to the other. */
  set(nowUs: number, lan: number, from: number, to: number, change: Partial<LinkState>): void {
    const link = this.link(lan, from, to);
    const { delayUs, jitterUs } = link.state;
    link.state = { ...link.state, ...change };
    if (link.state.delayUs !== delayUs || link.state.jitterUs !== jitterUs) {
      link.noteUnsteady(nowUs);
    }
  }

  /** Cuts or mends every link of a LAN; what else is wrong with them stays. */
  cutLan(lan: number, cut: boolean): void {
    for (let from = 0; from < this.#hosts; from++) {
      for (let to = 0; to < this.#hosts; to++) this.link(lan, from, to).state.cut = cut;
    }
  }

  /** Cuts or mends what one host sends (`out`) or hears (`in`) on a LAN. */
  cutHost(lan: number, host: number, cut: boolean, way: 'both' | 'out' | 'in' = 'both'): void {
    for (let other = 0; other < this.#hosts; other++) {
      if (way !== 'in') this.link(lan, host, other).state.cut = cut;
      if (way !== 'out') this.link(lan, other, host).state.cut = cut;
    }
  }

  /** The cable of one host; whatever else is done to its links, without it nothing passes. */
  plug(nowUs: number, lan: number, host: number, plugged: boolean): void {
    if (plugged) this.#unplugged.delete(lan * this.#hosts + host);
    else this.#unplugged.add(lan * this.#hosts + host);
    for (let other = 0; other < this.#hosts; other++) {
      this.link(lan, host, other).noteUnsteady(nowUs);
      this.link(lan, other, host).noteUnsteady(nowUs);
    }
  }

  /** Splits a LAN's switch in two: these hosts on one side, all others on the other. */
  partition(lan: number, side: readonly number[], cut = true): void {
    for (let a = 0; a < this.#hosts; a++) {
      for (let b = 0; b < this.#hosts; b++) {
        if (side.includes(a) !== side.includes(b)) this.link(lan, a, b).state.cut = cut;
      }
    }
  }

  /** Everything is as new. */
  heal(nowUs: number): void {
    for (let lan = 0; lan < this.count; lan++) {
      for (let from = 0; from < this.#hosts; from++) {
        for (let to = 0; to < this.#hosts; to++) this.set(nowUs, lan, from, to, sound);
      }
    }
  }

  /** May a packet pass from one host to the other? */
  open(lan: number, from: number, to: number): boolean {
    const plugged = [from, to].every((host) => !this.#unplugged.has(lan * this.#hosts + host));
    return plugged && !this.link(lan, from, to).state.cut;
  }

  /** Do packets pass between the two in both directions? */
  live(lan: number, a: number, b: number): boolean {
    return this.open(lan, a, b) && this.open(lan, b, a);
  }

  /** One packet: the delays with which its copies arrive, none if it is lost. */
  carry(nowUs: number, lan: number, from: number, to: number, random: Random): number[] {
    const link = this.link(lan, from, to);
    if (this.open(lan, from, to)) return link.carry(nowUs, random);
    link.noteLost(nowUs);
    return [];
  }
}

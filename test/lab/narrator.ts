// The demo's voice: a timeline whose instants count from the cut, and the claims that it makes. A
// claim is checked where it is made; one that fails is said at once and again at the end, and
// decides the exit status.
import { nowUs } from './shell.js';

const kWide = 100;

/** One thing that happened. */
export interface Moment {
  atUs: number;
  who: string;
  what: string;
}

export class Narrator {
  private zeroUs = nowUs();
  private claims = 0;
  readonly failures: string[] = [];

  say(text = ''): void {
    process.stdout.write(`${text}\n`);
  }

  chapter(title: string): void {
    this.say(`\n-- ${title} ${'-'.repeat(Math.max(3, kWide - 4 - title.length))}`);
  }

  /** From now on, instants count from `atUs`. */
  zero(atUs: number, what: string): void {
    this.zeroUs = atUs;
    this.tell([{ atUs, who: '', what }]);
  }

  /** Tells what happened, in the order in which it happened. */
  tell(moments: readonly Moment[]): void {
    for (const { atUs, who, what } of [...moments].sort((a, b) => a.atUs - b.atUs)) {
      this.say(`  ${offset(atUs - this.zeroUs)}  ${who.padEnd(5)}  ${what}`);
    }
  }

  /** A fact that the demo stands for. */
  claim(text: string, holds: boolean, otherwise = ''): void {
    this.claims += 1;
    if (!holds) this.failures.push(otherwise ? `${text} (${otherwise})` : text);
    const verdict = holds ? 'ok' : 'FAILED';
    this.say(`  ${verdict.padStart(10)}  ${text}${holds || !otherwise ? '' : `: ${otherwise}`}`);
  }

  summary(): void {
    const held = this.claims - this.failures.length;
    this.say(`\n${held} of ${this.claims} claims hold.`);
    for (const failure of this.failures) this.say(`  FAILED  ${failure}`);
  }
}

/** `+ 31.2 ms`, in a column. */
const offset = (us: number): string => `+${(us / 1000).toFixed(1).padStart(6)} ms`;

export const ms = (us: number): string => `${(us / 1000).toFixed(1)} ms`;

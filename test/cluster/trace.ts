// The trace of a run: one line for every event and every route operation of every host, and a hash
// over all of them and over every packet's arrival. The same seed gives the same hash, in any
// process; the last lines are what a failed run shows.
import { createHash, type Hash } from 'node:crypto';
import type { NativeEvent, VirtualRouteOp } from '../../lib/engine/native.js';
import { hostOf, lanName } from './addresses.js';

function describeEvent(event: NativeEvent): string {
  const peer = event.host === null ? '' : ` host ${hostOf(event.host)}`;
  const way = event.kind.endsWith('failover') ? ` -> ${lanName(event.alternate)}` : '';
  const why = event.kind === 'dropped' ? event.drop : event.reason;
  return `${event.kind} ${lanName(event.lan)}${peer}${way} (${why})`;
}

function describeOp(op: VirtualRouteOp): string {
  const to = op.what === 'rule' ? `lookup ${op.table}` : `via ${op.gateway} dev ${op.outIfindex}`;
  const both = op.alsoDirectIfindex === 0 ? '' : ` or direct dev ${op.alsoDirectIfindex}`;
  return `${op.kind} ${op.what} ${op.destination} ${to}${both} priority ${op.priority}`;
}

export class Trace {
  /** Every line so far, oldest first: `1234567.000 us  host 0  path-down A host 1 (silent)`. */
  readonly lines: string[] = [];
  readonly #hash: Hash = createHash('sha256');

  /** Something that the scenario does. */
  fault(nowUs: number, what: string): void {
    this.#note(`${nowUs.toFixed(3)} us  -- ${what}`);
  }

  /** Everything that the event says counts for the hash; the line shows the gist. */
  event(nowUs: number, host: number, event: NativeEvent): void {
    // Answers to commands are many, and say little.
    if (event.kind !== 'answer') {
      this.#note(`${nowUs.toFixed(3)} us  host ${host}  ${describeEvent(event)}`);
    }
    this.#hash.update(JSON.stringify(event));
  }

  routeOp(nowUs: number, host: number, op: VirtualRouteOp, error: number): void {
    const answer = error === 0 ? '' : ` refused: errno ${error}`;
    this.#note(`${nowUs.toFixed(3)} us  host ${host}  ${describeOp(op)}${answer}`);
    this.#hash.update(JSON.stringify(op));
  }

  /** Packets are too many for lines. */
  arrival(nowUs: number, lan: number, from: number, to: number): void {
    this.#hash.update(`${nowUs} ${lan} ${from} ${to};`);
  }

  /** The hash of the whole run so far. */
  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  #note(line: string): void {
    this.lines.push(line);
    this.#hash.update(line);
  }
}

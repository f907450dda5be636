// The last events, kept in memory so that `faild events --since` can tell what came before somebody
// looked. Bounded: the oldest make room for the newest. Owned by faild.ts.
import type { FaildEvent } from './events.js';

export interface Recent {
  /** The oldest first. */
  events: FaildEvent[];
  /** False: there were more in that time than are kept. */
  complete: boolean;
}

export class EventRing {
  readonly #places: FaildEvent[] = [];
  #next = 0;
  /** The latest instant of an event that had to make room. */
  #forgottenUs = Number.NEGATIVE_INFINITY;

  constructor(private readonly capacity: number) {}

  push(event: FaildEvent): void {
    const oldest = this.#places[this.#next];
    if (oldest !== undefined) {
      this.#forgottenUs = Math.max(this.#forgottenUs, oldest.monotonicUs);
    }
    this.#places[this.#next] = event;
    this.#next = (this.#next + 1) % this.capacity;
  }

  /** Those of `sinceUs` (CLOCK_MONOTONIC) and later, in the order in which they were told. */
  since(sinceUs = Number.NEGATIVE_INFINITY): Recent {
    const inOrder = [...this.#places.slice(this.#next), ...this.#places.slice(0, this.#next)];
    return {
      events: inOrder.filter(({ monotonicUs }) => monotonicUs >= sinceUs),
      complete: this.#forgottenUs < sinceUs || this.#forgottenUs === Number.NEGATIVE_INFINITY,
    };
  }
}

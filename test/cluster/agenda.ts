// What will happen, by virtual time: a binary heap. Things of the same microsecond happen in the
// order in which they were planned, so that a run has one order only. Owned by the cluster.

interface Entry {
  atUs: number;
  order: number;
  act: () => void;
}

function before(a: Entry, b: Entry): boolean {
  return a.atUs !== b.atUs ? a.atUs < b.atUs : a.order < b.order;
}

export class Agenda {
  readonly #heap: Entry[] = [];
  #order = 0;

  /** When the next thing happens; Infinity when nothing is planned. */
  get nextUs(): number {
    return this.#heap[0]?.atUs ?? Number.POSITIVE_INFINITY;
  }

  plan(atUs: number, act: () => void): void {
    const entry = { atUs, order: this.#order++, act };
    let place = this.#heap.length;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = this.#heap[parent] as Entry;
      if (!before(entry, above)) break;
      this.#heap[place] = above;
      place = parent;
    }
    this.#heap[place] = entry;
  }

  /** Takes out the next thing to do; undefined when nothing is planned. */
  take(): (() => void) | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first !== undefined && last !== undefined && first !== last) this.#sink(last);
    return first?.act;
  }

  /** Puts `entry` at the root's empty place and lets it sink to where it belongs. */
  #sink(entry: Entry): void {
    let place = 0;
    for (;;) {
      const left = this.#heap[place * 2 + 1];
      const right = this.#heap[place * 2 + 2];
      if (left === undefined) break;
      const goRight = right !== undefined && before(right, left);
      const child = goRight ? right : left;
      if (!before(child, entry)) break;
      this.#heap[place] = child;
      place = place * 2 + (goRight ? 2 : 1);
    }
    this.#heap[place] = entry;
  }
}

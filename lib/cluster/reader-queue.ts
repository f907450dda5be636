// One reader's bounded queue, read with `for await`. A slow reader loses the newest and is told how
// many, in their place; it never holds up faild or another reader. Of events it is made by
// Faild.events(), of probes by probes-live.ts.
import type { FaildEvent } from './events.js';

export interface EventStream extends AsyncIterableIterator<FaildEvent> {
  return(): Promise<IteratorResult<FaildEvent>>;
}

const end = { done: true, value: undefined } as const;

export class ReaderQueue<T> implements AsyncIterableIterator<T> {
  #waiting: ((result: IteratorResult<T>) => void)[] = [];
  #items: T[] = [];
  #lost = 0;
  #ended = false;

  /**
   * `makeLost` makes the stand-in for what did not fit; `onReturn` tells the owner that the reader
   * has gone.
   */
  constructor(
    private readonly capacity: number,
    private readonly makeLost: (count: number) => T,
    private readonly onReturn: (queue: ReaderQueue<T>) => void,
  ) {}

  push(item: T): void {
    if (this.#ended) return;
    if (this.#items.length >= this.capacity) {
      this.#lost += 1;
      return;
    }
    this.#markLoss();
    this.#items.push(item);
    this.#serve();
  }

  /** So many were lost before they came here; told with the next that does not. */
  lose(count: number): void {
    this.#lost += count;
  }

  /** What is queued can still be read; then the loop ends. */
  end(): void {
    this.#ended = true;
    for (const reader of this.#waiting.splice(0)) reader(end);
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#items.length === 0) this.#markLoss();
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve({ done: false, value: item });
    if (this.#ended) return Promise.resolve(end);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<IteratorResult<T>> {
    this.#items = [];
    this.#lost = 0;
    this.end();
    this.onReturn(this);
    return Promise.resolve(end);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #serve(): void {
    while (this.#waiting.length > 0) {
      const item = this.#items.shift();
      if (item === undefined) return;
      this.#waiting.shift()?.({ done: false, value: item });
    }
  }

  #markLoss(): void {
    if (this.#lost === 0) return;
    this.#items.push(this.makeLost(this.#lost));
    this.#lost = 0;
  }
}

// One reader's bounded queue of events, read with `for await`. A slow reader loses the newest ones
// and is told how many, in their place; it never holds up faild or another reader. Made by
// Faild.events().
import type { FaildEvent } from './events.js';

export interface EventStream extends AsyncIterableIterator<FaildEvent> {
  return(): Promise<IteratorResult<FaildEvent>>;
}

const end: IteratorResult<FaildEvent> = { done: true, value: undefined };

export class EventQueue implements EventStream {
  #waiting: ((result: IteratorResult<FaildEvent>) => void)[] = [];
  #events: FaildEvent[] = [];
  #lost = 0;
  #ended = false;

  /**
   * `makeLost` dates the stand-in for what did not fit; `onReturn` tells the owner that the reader
   * has gone.
   */
  constructor(
    private readonly capacity: number,
    private readonly makeLost: (count: number) => FaildEvent,
    private readonly onReturn: (queue: EventQueue) => void,
  ) {}

  push(event: FaildEvent): void {
    if (this.#ended) return;
    const reader = this.#waiting.shift();
    if (reader !== undefined) {
      reader({ done: false, value: event });
    } else if (this.#events.length >= this.capacity) {
      this.#lost += 1;
    } else {
      this.#markLoss();
      this.#events.push(event);
    }
  }

  /** What is queued can still be read; then the loop ends. */
  end(): void {
    this.#ended = true;
    for (const reader of this.#waiting.splice(0)) reader(end);
  }

  next(): Promise<IteratorResult<FaildEvent>> {
    if (this.#events.length === 0) this.#markLoss();
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#ended) return Promise.resolve(end);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<IteratorResult<FaildEvent>> {
    this.#events = [];
    this.#lost = 0;
    this.end();
    this.onReturn(this);
    return Promise.resolve(end);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #markLoss(): void {
    if (this.#lost === 0) return;
    this.#events.push(this.makeLost(this.#lost));
    this.#lost = 0;
  }
}

// A helper program of the bench that answers one line of JSON to each line it is told: the
// crowd, a blocked host.
import { type ChildProcess, spawn } from 'node:child_process';
import { eachLine } from '../test/lab/records.js';

export class Child {
  private readonly waiting: ((line: string) => void)[] = [];
  private complaint = '';
  private ended = false;

  private constructor(
    private readonly name: string,
    private readonly child: ChildProcess,
  ) {
    if (!child.stdout || !child.stderr) throw new Error(`${name} has no output`);
    eachLine(child.stdout, (line) => this.waiting.shift()?.(line));
    child.stderr.on('data', (text) => {
      this.complaint += text;
    });
    // A program that cannot be started, or that does not read any more, is judged by its end.
    const note = (error: Error) => {
      this.complaint += error.message;
    };
    child.on('error', note).once('close', () => this.end());
    child.stdin?.on('error', note);
  }

  /** Starts it; resolves with its first line, which says that it is ready. */
  static async start<Hello>(name: string, argv: string[]): Promise<{ child: Child; hello: Hello }> {
    const [command = '', ...rest] = argv;
    const child = new Child(name, spawn(command, rest, { stdio: 'pipe' }));
    return { child, hello: await child.answer<Hello>() };
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.name} did not start`);
    return this.child.pid;
  }

  ask<T>(...words: (string | number)[]): Promise<T> {
    const answer = this.answer<T>();
    this.child.stdin?.write(`${words.join(' ')}\n`);
    return answer;
  }

  /** Ends its input, which ends it. */
  async stop(): Promise<void> {
    if (this.ended) return;
    const ended = new Promise((resolve) => this.child.once('close', resolve));
    this.child.stdin?.end();
    await ended;
  }

  private end(): void {
    this.ended = true;
    for (const answer of this.waiting.splice(0)) answer(this.lastWords());
  }

  private lastWords(): string {
    return JSON.stringify({ error: `ended: ${this.complaint.trim()}` });
  }

  private async answer<T>(): Promise<T> {
    const line = await new Promise<string>((resolve) => {
      if (this.ended) resolve(this.lastWords());
      else this.waiting.push(resolve);
    });
    const value = JSON.parse(line) as T & { error?: string };
    if (value.error !== undefined) throw new Error(`${this.name}: ${value.error}`);
    return value;
  }
}

// The process that runs the hooks: started by hooks.ts, told what to run over Node's channel, and
// answering with what came of it. A process of its own, because Node starts programs with fork(2),
// which makes the memory of whoever forks copy-on-write and waits for the exec: that must not be
// the process in which the engine's thread lives, nor the thread that answers questions.
//
// One hook has one process at a time, so that it sees the events in order. A process that takes too
// long gets SIGTERM and, two seconds later, SIGKILL, with all of its process group; so does what it
// leaves behind in that group when it ends.
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, writeFileSync } from 'node:fs';
import { setPriority, constants as system } from 'node:os';

/** One event for one hook. */
export interface Job {
  run: string[];
  timeoutS: number;
  kind: string;
  /** The event as JSON. */
  input: string;
}

/** Also asked: may these programs be run at all? */
export type Order = Job | { look: string[] };

/** `done`: a job has ended, well or not. */
export type Report =
  | { done: true; why: string | null; output: string; run: string[]; kind: string }
  | { done: false; why: string };

const killAfterMs = 2000;
/** What has been written is read by then. */
const letGoMs = 500;
/** Of what a hook writes; the rest is read and dropped. */
const maxOutputBytes = 2000;

/** Nothing of the daemon's own. */
const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
};

const queues = new Map<string, Job[]>();
const running = new Set<ChildProcess>();

function report(said: Report): void {
  // A daemon that has just gone is an error of this call; soon the channel says so, too, and then
  // the hooks are ended: who died of the error would leave them running.
  if (process.connected) process.send?.(said, undefined, {}, () => undefined);
}

function take(order: Order): void {
  if ('look' in order) {
    for (const program of order.look) look(program);
    return;
  }
  const key = JSON.stringify(order.run);
  const queue = queues.get(key);
  if (queue !== undefined) return void queue.push(order);
  queues.set(key, []);
  void runAll(key, order);
}

function look(program: string): void {
  try {
    accessSync(program, constants.X_OK);
  } catch {
    report({ done: false, why: `hooks: ${program} is not there, or may not be run` });
  }
}

async function runAll(key: string, first: Job): Promise<void> {
  for (let job: Job | undefined = first; job !== undefined; job = queues.get(key)?.shift()) {
    const { why, output } = await runOne(job).catch((error: Error) => {
      return { why: `cannot be run: ${error.message}`, output: '' };
    });
    report({ done: true, why, output, run: job.run, kind: job.kind });
  }
  queues.delete(key);
}

function runOne({
  run,
  timeoutS,
  kind,
  input,
}: Job): Promise<{ why: string | null; output: string }> {
  return new Promise((resolve) => {
    const [program = '', ...args] = run;
    const env = { ...environment, FAILD_EVENT: kind };
    const child = spawn(program, args, { cwd: '/', env, detached: true, stdio: 'pipe' });
    const output = collect(child);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      end(child);
    }, timeoutS * 1000);
    running.add(child);
    child.once('error', (error) => finish(`cannot be run: ${error.message}`));
    child.once('exit', () => leaveNothing(child));
    child.once('close', (status, by) => {
      if (late) finish(`took longer than ${timeoutS} s and was ended`);
      else if (by !== null) finish(`was ended by ${by}`);
      else finish(status === 0 ? null : `ended with status ${status}`);
    });
    child.stdin.on('error', () => undefined); // it need not read
    child.stdin.end(`${input}\n`);
    const finish = (why: string | null) => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ why, output: output() });
    };
  });
}

/** Whoever has left the group may still hold the pipes: then they are let go. */
function leaveNothing(child: ChildProcess): void {
  signal(child, 'SIGKILL');
  setTimeout(() => {
    child.stdout?.destroy();
    child.stderr?.destroy();
  }, letGoMs).unref();
}

function collect(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (piece: string) => {
      if (text.length < maxOutputBytes) text += piece;
    });
  }
  return () => text.slice(0, maxOutputBytes).trimEnd();
}

function end(child: ChildProcess): void {
  signal(child, 'SIGTERM');
  setTimeout(() => signal(child, 'SIGKILL'), killAfterMs).unref();
}

/** To the whole group. */
function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch {
    // Nobody is left.
  }
}

function leave(): void {
  for (const child of running) signal(child, 'SIGKILL');
  process.exit();
}

if (process.send !== undefined) {
  // Hooks inherit it: an engine without real-time scheduling still comes before them.
  setPriority(system.priority.PRIORITY_LOW);
  try {
    // The daemon goes last when memory runs out; its hooks need not.
    writeFileSync('/proc/self/oom_score_adj', '0');
  } catch {
    // Not everywhere.
  }
  process.on('message', take);
  // The daemon has gone, or wants no more.
  process.on('disconnect', leave);
  // For the whole group of a terminal: the daemon says when it is time.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);
}

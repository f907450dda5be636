// Aim: the history survives restarts and crashes, never grows beyond its bound, says truly whether
// it is complete, and a disk that is full, gone or hung costs its caller no time.
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';

import { EventRing, type Recent } from '../../lib/cluster/event-ring.js';
import type { FaildEvent } from '../../lib/cluster/events.js';
import { History, precede } from '../../lib/journal/history.js';

const nothing = (): Recent => ({ events: [], complete: true });
const now = () => Date.now();

/** An event of so many seconds ago, told apart by its count. */
const event = (count: number, secondsAgo = 0): FaildEvent<'adopted'> => ({
  kind: 'adopted',
  at: new Date(now() - secondsAgo * 1000).toISOString(),
  monotonicUs: count,
  count,
});
const counts = ({ events }: Recent) => events.map((each) => (each as { count: number }).count);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/** A history in a directory of the test's, with what it complains. */
function open(directory: string, maxBytes = 1e6): { history: History; said: string[] } {
  const said: string[] = [];
  return { said, history: new History(directory, maxBytes, (line) => said.push(line)) };
}

const sizeOf = (directory: string) =>
  readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

async function until(holds: () => boolean, what: string): Promise<void> {
  for (const endMs = now() + 20_000; !holds(); ) {
    if (now() > endMs) throw new Error(`not within 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

t.test('what was told before a restart is found after it', async (t) => {
  const directory = join(t.testdir(), 'history');
  const first = open(directory).history;
  first.note(event(1, 7200));
  first.note(event(2, 60));
  t.equal(await first.close(), true);

  const { history, said } = open(directory);
  history.note(event(3));
  t.same(counts(await history.recent(nothing, undefined)), [1, 2, 3]);
  t.same(counts(await history.recent(nothing, 3600)), [2, 3], 'of the last hour');
  t.equal((await history.recent(nothing, 3600)).complete, true);
  await history.close();
  t.same(said, []);
  t.equal(readdirSync(directory).length, 1, 'one file, as long as there is room in it');
});

t.test('what is in memory as well is told once, and in order', async (t) => {
  const { history } = open(join(t.testdir(), 'history'));
  const ring = new EventRing(3);
  for (const count of range(0, 10)) {
    ring.push(event(count));
    history.note(event(count));
  }
  const memory = () => ring.since();
  t.same(counts(await history.recent(memory, undefined)), range(0, 10), 'while it is written');
  await history.close();
  const { events, complete } = await history.recent(memory, 60);
  t.same(counts({ events, complete }), range(0, 10), 'and afterwards');
  t.equal(complete, true, 'what memory has lost is on disk');
});

t.test('a stream begins with what is on disk', async (t) => {
  const past = Promise.resolve({ events: [event(1), event(2)], complete: true });
  const live = [event(3)].values();
  let returned = 0;
  const stream = precede(past, {
    next: async () => live.next() as IteratorResult<FaildEvent>,
    async return() {
      returned += 1;
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  });
  const seen: FaildEvent[] = [];
  for await (const each of stream) {
    seen.push(each);
    if (seen.length === 3) break;
  }
  t.same(counts({ events: seen, complete: true }), [1, 2, 3]);
  t.equal(returned, 1, 'and lets go of the rest');
});

t.test('it never grows beyond its bound, and says what it has forgotten', async (t) => {
  const directory = join(t.testdir(), 'history');
  const maxBytes = 64_000;
  const { history } = open(directory, maxBytes);
  const total = 3000;
  for (const round of range(0, 30)) {
    for (const count of range(round * 100, round * 100 + 100)) {
      history.note(event(count, total - count));
    }
    await until(() => newestText(directory).includes(`:${round * 100 + 99}}`), 'it is written');
    t.ok(sizeOf(directory) <= maxBytes, `${sizeOf(directory)} bytes`);
  }
  await history.close();
  const after = open(directory, maxBytes).history;
  const all = await after.recent(nothing, undefined);
  t.ok(all.events.length > 400, `${all.events.length} are kept`);
  t.same(counts(all), range(total - all.events.length, total), 'the newest, without a hole');
  t.equal(all.complete, false);
  t.equal((await after.recent(nothing, 100)).complete, true, 'of this time all are there');

  const smaller = open(directory, 16_000).history;
  smaller.note(event(total));
  await smaller.close();
  t.ok(sizeOf(directory) <= 16_000, 'a smaller bound holds at once');
});

function newestText(directory: string): string {
  return sizeOfOrZero(directory) === 0 ? '' : readFileSync(newest(directory), 'utf8');
}

function newest(directory: string): string {
  const numbers = readdirSync(directory).map((name) => Number(name.split('.')[1]));
  return join(directory, `events.${Math.max(...numbers)}.jsonl`);
}

t.test('a crash in the middle of a line costs that line, and it is said', async (t) => {
  const directory = join(t.testdir(), 'history');
  const first = open(directory).history;
  for (const count of [1, 2, 3]) first.note(event(count, 600));
  await first.close();
  const file = newest(directory);
  truncateSync(file, statSync(file).size - 20);

  const { history } = open(directory);
  history.note(event(4, 0));
  await history.close();
  const all = await history.recent(nothing, undefined);
  t.same(counts(all), [1, 2, 4]);
  t.equal(all.complete, false);
  t.equal((await history.recent(nothing, 300)).complete, true, 'it was earlier than this');

  appendFileSync(file, '{"kind":"adopted"}\n[]\nnull\n"\n\n');
  t.same(counts(await history.recent(nothing, undefined)), [1, 2, 4], 'whatever stands there');
});

t.test(
  'a disk that refuses: nothing is lost but what does not fit, and that is said',
  async (t) => {
    const directory = join(
      t.testdir({ history: 'a file, where the directory should be' }),
      'history',
    );
    const { history, said } = open(directory, 64e6);
    const many = 60_000;
    for (const count of range(0, many)) history.note(event(count));
    await until(() => said.length > 0, 'it complains');
    t.match(said, [/^cannot write the history in .*: E(EXIST|NOTDIR)/]);
    rmSync(directory);
    history.note(event(many));
    await until(() => said.length > 1, 'it recovers');
    t.same(said.slice(1), ['the history can be written again']);
    await history.close();
    const { events, complete } = await open(directory).history.recent(nothing, 3600);
    t.equal(complete, false);
    t.ok(events.length > 10_000 && events.length < many, `${events.length} were kept`);
    t.same(counts({ events, complete }), range(0, events.length), 'the first of them');
    t.match(readFileSync(newest(directory), 'utf8'), `{"gap":${many + 1 - events.length},`);
  },
);

t.test('files that are removed are made anew', async (t) => {
  const directory = join(t.testdir(), 'history');
  const { history } = open(directory);
  history.note(event(1));
  await until(() => sizeOfOrZero(directory) > 0, 'the first is written');
  rmSync(directory, { recursive: true });
  history.note(event(2));
  await history.close();
  t.same(counts(await history.recent(nothing, undefined)), [2]);
});

function sizeOfOrZero(directory: string): number {
  try {
    return sizeOf(directory);
  } catch {
    return 0;
  }
}

// Whoever holds a lease on a file makes others wait in open(2), as a disk does that hangs.
const leaseProgram = `
  $SIG{IO} = 'IGNORE'; open(my $f, '+<', $ARGV[0]) or die $!;
  fcntl($f, 1024, 1) or die "no lease: $!\\n"; $| = 1; print "held\\n"; <STDIN>;
`;

async function holdUp(t: Test, path: string): Promise<() => void> {
  const perl = spawn('perl', ['-e', leaseProgram, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => perl.kill());
  for await (const line of createInterface({ input: perl.stdout })) {
    if (line === 'held') return () => void perl.stdin.end();
  }
  throw new Error('no lease');
}

t.test('a disk that hangs holds up nobody', async (t) => {
  const directory = join(t.testdir(), 'history');
  mkdirSync(directory);
  const file = join(directory, 'events.1.jsonl');
  writeFileSync(file, '');
  const release = await holdUp(t, file);
  // Whoever waited for the disk would do so for 45 s, the kernel's patience with a lease.
  const { history, said } = open(directory);
  const beganMs = now();
  for (const count of range(0, 1000)) history.note(event(count));
  t.ok(now() - beganMs < 10_000, 'a thousand events are taken at once');
  const { events, complete } = await history.recent(nothing, 3600);
  t.ok(now() - beganMs < 20_000, 'questions are answered');
  t.equal(complete, false);
  t.same(counts({ events, complete }), range(0, 1000), 'with what has not been written yet');
  t.equal(await history.close(), false, 'it does not wait for ever at the end');
  t.same(said, []);
  release();
  await until(() => statSync(file).size > 1000, 'what waited is written when it can be');
});

// Aim: every line is on disk when the call returns; a rotation and a full disk never reach the
// daemon.
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import type { FaildEvent } from '../../lib/cluster/events.js';
import { LineSink } from '../../lib/journal/line-sink.js';
import { openLog } from '../../lib/journal/log.js';

const failover: FaildEvent<'failover'> = {
  kind: 'failover',
  at: '2026-01-01T00:00:00.000Z',
  monotonicUs: 1,
  path: {
    peer: { id: '00000000000000b2', name: 'web2' },
    lan: { index: 0, name: 'A', interface: 'eth0' },
    address: '10.0.1.2',
  },
  via: { index: 1, name: 'B', interface: 'eth1' },
  reason: 'silent',
  lastHeardUs: 3200,
  missed: 3,
  intervalUs: 1000,
  loss: 0,
  roundTripUs: 81.2,
  detectUs: 3200,
  applyUs: 61,
};

t.test('one JSON line an event, with its evidence and its timing', async (t) => {
  const file = join(t.testdir(), 'faild.log');
  const log = await openLog(file, 'web1');
  log.event(failover);
  log.info('hello', { extra: 1 });
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const [event, hello] = lines.map((line) => JSON.parse(line));
  t.match(event, {
    level: 'warn',
    host: 'web1',
    kind: 'failover',
    reason: 'silent',
    lastHeardUs: 3200,
    missed: 3,
    intervalUs: 1000,
    roundTripUs: 81.2,
    detectUs: 3200,
    applyUs: 61,
    path: { address: '10.0.1.2' },
    msg: 'failover: web2 (10.0.1.2) on LAN A -> LAN B: silent for 3.2 ms, 3 packets missed at 1 ms',
  });
  t.match(event.time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  t.match(hello, { level: 'info', msg: 'hello', extra: 1 });
  t.equal(statSync(file).mode & 0o777 & ~process.umask(), 0o640 & ~process.umask());
  log.close();
});

t.test('it appends, and reopens after a rotation', async (t) => {
  const file = join(t.testdir({ 'faild.log': 'old\n' }), 'faild.log');
  const log = await openLog(file, 'web1');
  log.info('one');
  renameSync(file, `${file}.1`);
  log.info('two');
  log.reopen();
  log.info('three');
  log.close();
  t.match(readFileSync(`${file}.1`, 'utf8'), /^old\n.*"one".*\n.*"two".*\n$/);
  t.match(readFileSync(file, 'utf8'), /^.*"three".*\n$/);
});

t.test('a log file that cannot be opened is named', async (t) => {
  const file = join(t.testdir(), 'no', 'faild.log');
  await t.rejects(openLog(file, 'web1'), {
    code: 'ENOENT',
    message: /^-l \(--log-file\): cannot open '/,
  });
});

t.test('a full disk: nothing is thrown, lines are counted, stderr hears of it once', async (t) => {
  const said: string[] = [];
  const sink = new LineSink('/dev/full', (line) => said.push(line));
  for (let i = 0; i < 3; i++) sink.write('line\n');
  t.equal(sink.failed, 3);
  t.equal(said.length, 1);
  t.match(said[0], /^cannot write the log: ENOSPC.*; going on without$/);
  sink.close();
});

t.test('the whole log survives a full disk', async (t) => {
  const log = await openLog('/dev/full', 'web1');
  t.doesNotThrow(() => {
    log.event(failover);
    log.event(failover);
  });
  log.close();
});

t.test('after the trouble: its end is said with the number of lines lost', async (t) => {
  const file = join(t.testdir(), 'faild.log');
  symlinkSync('/dev/full', file);
  const said: string[] = [];
  const sink = new LineSink(file, (line) => said.push(line));
  sink.write('lost\n');
  sink.write('lost\n');
  rmSync(file);
  sink.reopen();
  sink.write('kept\n');
  sink.close();
  t.equal(readFileSync(file, 'utf8'), 'kept\n');
  t.match(said, [/ENOSPC/, /^the log can be written again; 2 lines were lost$/]);
  t.equal(sink.failed, 0);
});

t.test('a file that is removed: the next line makes it anew, and nothing is lost', async (t) => {
  const file = join(t.testdir(), 'faild.log');
  const said: string[] = [];
  const sink = new LineSink(file, (line) => said.push(line));
  sink.write('one\n');
  rmSync(file);
  sink.write('two\n');
  t.equal(readFileSync(file, 'utf8'), 'two\n');
  t.same(said, []);
  sink.close();
});

t.test('a pipe without a reader is named at once, and lost later, is found again', async (t) => {
  const path = join(t.testdir(), 'pipe');
  execFileSync('mkfifo', [path]);
  t.throws(() => new LineSink(path, () => undefined), { code: 'ENXIO' });
  const openReader = () => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const first = openReader();
  const sink = new LineSink(path, () => undefined);
  closeSync(first);
  sink.write('lost\n');
  sink.write('lost\n');
  t.equal(sink.failed, 2);
  const second = openReader();
  sink.write('kept\n');
  const buffer = Buffer.alloc(100);
  t.equal(buffer.toString('utf8', 0, readSync(second, buffer)), 'kept\n');
  t.equal(sink.failed, 0);
  closeSync(second);
  sink.close();
});

/** A pipe that does not block, as standard output may be, and its reader. */
function openPipe(t: Test) {
  const path = join(t.testdir(), 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  t.teardown(() => [reader, writer].map(closeSync));
  const read = (): string => {
    const buffer = Buffer.alloc(1 << 16);
    try {
      return buffer.toString('utf8', 0, readSync(reader, buffer));
    } catch {
      return ''; // empty just now
    }
  };
  return { writer, read };
}

t.test('a pipe whose reader is slow: lines wait, none is lost, order stays', async (t) => {
  const { writer, read } = openPipe(t);
  const said: string[] = [];
  const sink = new LineSink(writer, (line) => said.push(line));
  const lines = Array.from({ length: 4000 }, (_, i) => `line ${i} ${'x'.repeat(300)}\n`);
  for (const line of lines) sink.write(line); // 1.2 MB; the pipe holds 64 KiB
  let seen = '';
  while (seen.length < lines.join('').length) {
    seen += read();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  t.equal(seen, lines.join(''));
  t.same(said, []);
  sink.close();
});

t.test(
  'a reader that takes nothing for long: one gap, counted, and said in its place',
  async (t) => {
    const { writer, read } = openPipe(t);
    const said: string[] = [];
    const sink = new LineSink(
      writer,
      (line) => said.push(line),
      (lost) => sink.write(`gap of ${lost}\n`),
    );
    const line = `${'x'.repeat(1023)}\n`;
    const count = 3 * 8192;
    for (let i = 0; i < count; i++) sink.write(line);
    const lost = sink.failed;
    t.ok(lost > 8192, `${lost} lines did not fit`);
    let seen = '';
    while (!seen.includes('gap')) {
      seen += read();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    t.ok(seen.endsWith(`gap of ${lost}\n`));
    t.equal(seen.split(line).length - 1, count - lost);
    t.match(said, [/its reader is too slow; going on without$/, / again; \d+ lines were lost$/]);
    sink.close();
  },
);

t.test('a directory that is gone: the loss is counted, and told when it is back', async (t) => {
  const dir = join(t.testdir(), 'logs');
  mkdirSync(dir);
  const file = join(dir, 'faild.log');
  const said: string[] = [];
  const sink = new LineSink(
    file,
    (line) => said.push(line),
    (lost) => sink.write(`gap of ${lost}\n`),
  );
  sink.write('before\n');
  rmSync(dir, { recursive: true });
  t.equal(sink.reopen(), false);
  sink.write('line\n');
  sink.write('line\n');
  t.equal(sink.failed, 2, 'nobody will ever read a file that was removed');
  mkdirSync(dir);
  sink.write('after\n');
  t.equal(readFileSync(file, 'utf8'), 'after\ngap of 2\n');
  t.match(said, [/ENOENT.*; keeping the old file$/, /going on without$/, /2 lines were lost$/]);
  sink.close();
});

// Aim: the picture of `faild top` fits every terminal, shows what is wrong first and obeys no
// foreign name; on a real terminal it follows its size, quits by a key and gives all back.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { type FaildEvent, lostEvent } from '../../lib/cluster/events.js';
import { ReaderQueue } from '../../lib/cluster/reader-queue.js';
import type { ControlTarget } from '../../lib/control/routes.js';
import { openControl } from '../../lib/control/server.js';
import { drawTop, type Picture } from '../../lib/text/top.js';
import { sketch } from './statuses.js';

const cli = fileURLToPath(new URL('../../lib/cli.js', import.meta.url));

const evil = 'we\x1b[2Jb\n9\u202e';
const hosts = Object.fromEntries(
  Array.from({ length: 30 }, (_, at) => [`web${at}`, { A: 'up' as const, B: 'up' as const }]),
);
const status = sketch({ ...hosts, zoe: { A: { state: 'down', via: 'B' }, B: 'up' } });
const event: FaildEvent = {
  kind: 'rejoined',
  at: '2026-01-01T12:34:56.789Z',
  monotonicUs: 0,
};

const picture = (more: Partial<Picture> = {}): Picture => ({
  status,
  before: undefined,
  events: [event],
  trouble: null,
  rows: 24,
  columns: 80,
  offset: 0,
  ...more,
});
const texts = (more: Partial<Picture> = {}) => drawTop(picture(more)).map(({ text }) => text);

t.test('it fits every terminal', async (t) => {
  const odd = sketch({ [evil]: { A: 'down', B: 'up' } });
  for (const rows of [1, 2, 5, 8, 24, 60, 200]) {
    for (const columns of [1, 2, 20, 80, 300]) {
      for (const shown of [status, odd, sketch({})]) {
        const lines = texts({ rows, columns, status: shown, offset: 7, trouble: 'gone' });
        t.ok(lines.length <= rows, `${lines.length} lines in ${rows}`);
        t.ok(
          lines.every((line) => [...line].length <= columns),
          `${rows} by ${columns}`,
        );
      }
    }
  }
});

t.test('what is wrong comes first, and loudly', async (t) => {
  const lines = drawTop(picture({ columns: 120 }));
  const zoe = lines.findIndex(({ text }) => text.startsWith('zoe '));
  const web = lines.findIndex(({ text }) => text.startsWith('web0 '));
  t.ok(zoe > 0 && zoe < web, 'before who is well');
  t.match(lines[zoe], { text: /^zoe +A .* down .* via B/, tone: 'bad' });
  t.match(lines.map(({ text }) => text).join('\n'), /1 of 62 paths down/);
  t.match(texts().at(-2), '12:34:56  rejoined: peers are heard again');
  t.match(texts({ trouble: 'no daemon answers' })[1], /^NO ANSWER: no daemon answers/);
  const hung = sketch({ web: { A: 'up' } }, { alive: false });
  t.match(texts({ status: hung })[1], /^THE ENGINE'S THREAD DOES NOT ANSWER/);
});

t.test('it scrolls to the end and no further', async (t) => {
  t.match(texts().join('\n'), /^\.\.\. \d+ more lines$/m);
  const last = texts({ offset: 10_000 });
  t.match(last.join('\n'), /^ +B +10\.2\.0\.31 /m, 'the last path of all');
  t.same(texts({ offset: 20_000 }), last);
});

t.test('rates are of the time between two looks', async (t) => {
  const before = { ...status, takenAt: '2026-01-01T00:00:58.000Z' };
  const counters = { packetsReceived: 500, packetsSent: 100 };
  const after = { ...status, counters: { ...status.counters, ...counters } };
  t.match(texts({ before, status: after }).join('\n'), /^in 250\/s, out 44\/s; /m);
  t.match(
    texts({ before: after, status }).join('\n'),
    /^in -, out -; /m,
    'another daemon counts anew',
  );
});

t.test('a foreign name moves no cursor', async (t) => {
  const all = texts({ status: sketch({ [evil]: { A: 'up' } }) }).join('');
  t.match(all, /we\?\[2Jb\?9\?/);
  t.notMatch(all, /\p{C}/u);
});

t.test('without a terminal it says what to use', async (t) => {
  const {
    status: exit,
    stderr,
    stdout,
  } = spawnSync(process.execPath, [cli, 'top'], {
    encoding: 'utf8',
  });
  t.equal(exit, 2);
  t.equal(stdout, '');
  t.equal(
    stderr,
    'faild: top: needs a terminal for its keys and its picture; use faild status elsewhere\n',
  );
});

t.test('as JSON it needs none', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'faild-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const control = await openControl(join(dir, 's'));
  control.attach({ status: async () => status } as unknown as ControlTarget);
  const child = spawn(process.execPath, [cli, 'top', '--json', '--socket', join(dir, 's')], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.teardown(() => child.kill());
  const lines: unknown[] = [];
  const ended = once(child, 'exit');
  for await (const line of createInterface(child.stdout)) {
    lines.push(JSON.parse(line));
    // Read on to its end: a pipe that nobody reads would end it as well.
    if (lines.length === 2) void control.close();
  }
  t.same(lines.slice(0, 2), [status, status]);
  const [exit] = await ended;
  t.equal(exit, 3, 'it ends with the daemon');
});

/** Runs it on a terminal of its own, of 24 lines of 80; `screen` is what it last drew. */
async function onTerminal(t: Test, socket: string) {
  const dir = t.testdir();
  // A marker says how it ended, and that the terminal is back.
  const command = `tty > ${dir}/tty; stty rows 24 cols 80; "${process.execPath}" "${cli}" top --socket ${socket}; echo "exit $?" > ${dir}/exit; stty -a > ${dir}/stty`;
  const child: ChildProcess = spawn('script', ['-qec', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill());
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
    output += piece;
  });
  const read = (name: string) => {
    const file = join(dir, name);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  };
  return {
    read,
    type: (keys: string) => child.stdin?.write(keys),
    all: () => output,
    screen() {
      const whole = output
        .split('\x1b[H')
        .slice(1)
        .findLast((part) => part.includes('\x1b[J'));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a terminal obeys
      return (whole ?? '').replace(/\x1b\[[\d;?]*[a-zA-Z]/g, '').split(/\r+\n/);
    },
  };
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (const endMs = Date.now() + 30_000; !holds(); ) {
    if (Date.now() > endMs) throw new Error(`not within 30 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

t.test('on a terminal', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'faild-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const socket = join(dir, 's');
  const control = await openControl(socket);
  t.teardown(() => control.close());
  let shown = status;
  const lost = (count: number) => lostEvent(count, { wallMs: 0, monotonicUs: 0 });
  const queue = new ReaderQueue<FaildEvent>(16, lost, () => undefined);
  queue.push(event);
  control.attach({ status: async () => shown, events: () => queue } as unknown as ControlTarget);

  const top = await onTerminal(t, socket);
  await until(() => top.screen().some((line) => line.startsWith('zoe ')), 'the first picture');
  await until(() => top.screen().some((line) => /^12:34:56 {2}rejoined/.test(line)), 'its events');
  t.equal(top.screen().length, 24);

  shown = sketch({ new: { A: 'up', B: 'up' } });
  await until(() => top.screen().some((line) => line.startsWith('new ')), 'the next look');
  spawnSync('stty', ['-F', top.read('tty').trim(), 'rows', '10', 'cols', '30']);
  const fits = () => top.screen().length === 10 && top.screen().every((line) => line.length <= 30);
  await until(fits, 'another size');
  t.equal(top.screen().length, 10);

  top.type('q');
  await until(() => top.read('stty') !== '', 'its end');
  t.equal(top.read('exit'), 'exit 0\n');
  // It comes by the terminal, which a busy machine may pass on after the files were written.
  await until(() => top.all().includes('\x1b[?1049l'), 'the last that it draws');
  const [taken, given] = ['\x1b[?1049h', '\x1b[?25h\x1b[?1049l'].map((code) =>
    top.all().indexOf(code),
  );
  t.ok(
    taken !== undefined && taken >= 0 && given !== undefined && given > taken,
    'the screen is back',
  );
  t.match(top.read('stty'), / icanon .* echo /s, 'and so is the keyboard');
});

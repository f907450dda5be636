// Aim: whatever the log's disk does, traffic fails over in time and faild answers; what was lost is
// counted, and told in the log when that works again. A disk that hangs for good stops JavaScript:
// that failover goes on all the same is shown in service.test.ts. And logrotate, with the file of
// packaging/, takes no line away.
import './in-arena.js';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { EventsAnswer } from '../../lib/control/routes.js';
import { unlessInstalled } from '../judges.js';
import { kArenaDirectory } from './arena.js';
import { faild, place } from './daemon.js';
import { Lab } from './lab.js';
import { outcome, run } from './shell.js';

/** A hundred detection times: nobody waits for a disk. */
const kInTimeMs = 3000;

/** Two hosts; the first one logs to this file. */
const openLab = (t: Test, logFile: string): Promise<Lab> =>
  Lab.open(t, { special: { 1: { logFile } } });

async function failsOver(lab: Lab): Promise<void> {
  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', 'b', kInTimeMs);
}

async function returns(lab: Lab): Promise<void> {
  await lab.cuts.heal({ lan: 'a' });
  await lab.goes('a', 'a');
}

/** The lines, and how many are no JSON: one that a full disk has cut off. */
function linesOf(text: string): { lost: number[]; torn: number } {
  const lines = text.trimEnd().split('\n');
  const whole = lines.filter((line) => line.startsWith('{') && line.endsWith('}'));
  const told = whole.map((line) => JSON.parse(line) as { msg: string; lines?: number });
  const lost = told.flatMap(({ msg, lines: count }) => (/^lost: /.test(msg) ? [count ?? 0] : []));
  return { lost, torn: lines.length - whole.length };
}

/** Waits until the log says how much it has lost. */
async function tellsLoss(t: Test, lab: Lab, read: () => string): Promise<void> {
  await lab.until('the loss is told', async () => {
    const { lost, torn } = linesOf(read());
    return lost.length > 0 ? [] : [`not yet; ${torn} torn`];
  });
  const { lost, torn } = linesOf(read());
  t.equal(lost.length, 1, 'once');
  t.ok((lost[0] ?? 0) > 0, `${lost[0]} lines were lost`);
  t.ok(torn <= 1, `${torn} lines are torn`);
}

t.test('a full disk', async (t) => {
  const directory = join(kArenaDirectory, 'small');
  mkdirSync(directory);
  await run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'small', directory]);
  const file = join(directory, 'faild.log');
  const filler = join(directory, 'filler');
  const lab = await openLab(t, file);
  await outcome(['dd', 'if=/dev/zero', `of=${filler}`, 'bs=4k']);
  const full = () => /cannot write the log: ENOSPC/.test(lab.daemon(1).lastWords);
  for (let times = 0; times < 5 && !full(); times++) {
    await failsOver(lab);
    await returns(lab);
  }
  t.ok(full(), 'it says on standard error that it goes on without');
  await failsOver(lab);
  t.equal((await lab.daemon(1).status()).exit, 1, 'it answers meanwhile');
  rmSync(filler);
  await returns(lab);
  await tellsLoss(t, lab, () => readFileSync(file, 'utf8'));
  await lab.stopsClean(t);
});

t.test('a directory that is removed', async (t) => {
  const directory = join(kArenaDirectory, 'removed');
  mkdirSync(directory);
  const file = join(directory, 'faild.log');
  const lab = await openLab(t, file);
  rmSync(directory, { recursive: true });
  await failsOver(lab);
  await lab.until('it says that the log is gone', async () => {
    const { lastWords } = lab.daemon(1);
    return /cannot write the log: .*ENOENT/.test(lastWords) ? [] : [lastWords];
  });
  mkdirSync(directory);
  await returns(lab);
  await tellsLoss(t, lab, () => readFileSync(file, 'utf8'));
  await lab.stopsClean(t);
});

/** What a pipe holds just now. */
function takeAll(fd: number): string {
  const bytes = Buffer.alloc(1 << 20);
  try {
    return bytes.toString('utf8', 0, readSync(fd, bytes));
  } catch {
    return ''; // empty
  }
}

function fillUp(pipe: string): number {
  const fd = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
  let bytes = 0;
  try {
    for (;;) bytes += writeSync(fd, `${'x'.repeat(1023)}\n`);
  } catch {
    closeSync(fd);
    return bytes;
  }
}

t.test('a reader that stops reading, goes, and comes back', async (t) => {
  const pipe = join(kArenaDirectory, 'log.pipe');
  await run(['mkfifo', pipe]);
  const openReader = () => openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  const slow = openReader();
  const lab = await openLab(t, pipe);
  let seen = takeAll(slow);
  const filled = fillUp(pipe);
  await failsOver(lab);
  t.equal((await lab.daemon(1).status()).exit, 1, 'it answers meanwhile');
  await lab.until('the failover is in the log', async () => {
    seen += takeAll(slow);
    return seen.includes('"failover') || seen.includes('"lan-failover') ? [] : ['not yet'];
  });
  const { lost, torn } = linesOf(seen.replaceAll(/^x{1023}\n/gm, ''));
  t.same({ lost, torn }, { lost: [], torn: 0 }, `nothing is lost behind ${filled} bytes of others`);

  closeSync(slow);
  await returns(lab);
  await lab.until('it says that nobody reads', async () => {
    const { lastWords } = lab.daemon(1);
    return /cannot write the log: /.test(lastWords) ? [] : [lastWords];
  });
  const next = openReader();
  t.teardown(() => closeSync(next));
  await failsOver(lab);
  let later = '';
  const read = () => {
    later += takeAll(next);
    return later;
  };
  await tellsLoss(t, lab, read);
});

/** What packaging/ gives to logrotate, for another directory and a daemon without systemd. */
function rotation(directory: string, pid: number): string {
  const file = join(kArenaDirectory, 'faild.logrotate');
  const ours = readFileSync('packaging/logrotate.d/faild', 'utf8')
    .replace('/var/log/faild/*.log', `${directory}/*.log`)
    .replace(/systemctl kill --signal=HUP .*$/m, `kill -HUP ${pid}`);
  writeFileSync(file, ours, { mode: 0o644 });
  return file;
}

type Line = { msg: string; kind?: string };

const skip = unlessInstalled('logrotate');

t.test('logrotate: the next line is in a new file, and none is lost', { skip }, async (t) => {
  const directory = join(kArenaDirectory, 'rotated');
  mkdirSync(directory, { mode: 0o750 });
  const file = join(directory, 'faild.log');
  const linesIn = (name: string): Line[] =>
    readFileSync(name, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  const lab = await openLab(t, file);
  await failsOver(lab);
  const state = join(kArenaDirectory, 'logrotate.state');
  const ours = rotation(directory, lab.daemon(1).pid);
  await run(['logrotate', '--force', '--state', state, ours]);
  await lab.until('the new file', async () => (existsSync(file) ? [] : ['not there']));
  await returns(lab);

  const host = lab.topology.host(1);
  const { stdout } = await faild(host, 'events', '--json', ...place(host));
  const { events } = JSON.parse(stdout) as EventsAnswer;
  await lab.stopsClean(t);
  const [before, after] = [linesIn(`${file}.1`), linesIn(file)];
  t.match(after[0], { msg: 'log reopened' });
  const told = [...before, ...after].flatMap(({ kind }) => kind ?? []);
  t.same(
    told.slice(0, events.length),
    events.map(({ kind }) => kind),
  );
  const has = (lines: Line[], what: RegExp) => lines.some(({ kind }) => what.test(kind ?? ''));
  t.ok(has(before, /failover$/), 'the failover is in the old file');
  t.ok(has(after, /switchback$/), 'the switchback in the new one');
});

// Freezes one thread of a daemon as a hung disk or a bug would, while its other threads go on: the
// thread is seized and stopped by ptrace(2), for which perl, part of every Debian, has a system
// call at hand. SIGSTOP would stop the whole process.
import { readdirSync, readFileSync } from 'node:fs';
import type { Daemon } from './daemon.js';
import { eachLine, Records, type Timed } from './records.js';
import { launch, nowUs } from './shell.js';

/** By architecture: ptrace and wait4. */
const kCalls: Record<string, [number, number]> = { x64: [101, 61], arm64: [117, 260] };

// PTRACE_SEIZE, PTRACE_INTERRUPT; then __WALL, until the stop is there. When its standard input
// ends, so does perl, and the kernel lets the thread go; likewise when the thread ends with its
// process, which is not gone before perl is.
const kProgram = `
  my ($ptrace, $wait4, $thread) = map { 0 + $_ } @ARGV;
  syscall($ptrace, 0x4206, $thread, 0, 0) == 0 or die "cannot seize $thread: $!\\n";
  syscall($ptrace, 0x4207, $thread, 0, 0) == 0 or die "cannot stop $thread: $!\\n";
  syscall($wait4, $thread, 0, 0x40000000, 0) == $thread or die "cannot wait for $thread: $!\\n";
  $SIG{CHLD} = sub { exit };
  $| = 1; print "frozen\\n"; <STDIN>;
`;

/** What the kernel calls the threads of faild: Node's first one, and the engine's. */
export type ThreadName = 'javascript' | 'faild-engine';

function threadOf({ pid }: Daemon, name: ThreadName): number {
  if (name === 'javascript') return pid;
  const threads = readdirSync(`/proc/${pid}/task`).map(Number);
  const nameOf = (id: number) => readFileSync(`/proc/${pid}/task/${id}/comm`, 'utf8').trim();
  const found = threads.find((id) => nameOf(id) === name);
  if (found === undefined) throw new Error(`process ${pid} has no thread '${name}'`);
  return found;
}

/** Freezes it; the answer thaws it. */
export async function freeze(daemon: Daemon, name: ThreadName): Promise<() => Promise<void>> {
  const calls = kCalls[process.arch];
  if (calls === undefined) throw new Error(`no system call numbers for ${process.arch}`);
  const numbers = [...calls, threadOf(daemon, name)].map(String);
  const perl = launch(['perl', '-e', kProgram, ...numbers], { stdio: ['pipe', 'pipe', 'inherit'] });
  const said = new Records<Timed & { text: string }>();
  if (perl.stdout) eachLine(perl.stdout, (text) => said.push({ text, readUs: nowUs() }));
  const ended = new Promise<void>((resolve) => perl.once('close', () => resolve()));
  await said.waitFor(({ text }) => text === 'frozen', `the freezing of ${name}`, 5000);
  return () => {
    perl.stdin?.end();
    return ended;
  };
}

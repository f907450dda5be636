// The arena: a place where a lab may build networks without touching the machine's own, and that
// the kernel itself clears away. Every lab program enters it first (see in-arena.ts).
//
// The program starts itself again under unshare(1), with namespaces of its own:
//
//   network   empty: not even a mistake can send a packet to a real network
//   mount     a private tmpfs on /run, which holds `ip netns` names, sockets, state and logs
//   pid       when the program ends, even by SIGKILL, the kernel ends everything that it started
//   user      only when we are not root (or root without the right): inside it, we are
//
// So nothing can be left behind, and no clean-up code has to be trusted with that.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { Socket } from 'node:net';

const kInside = 'FAILD_LAB_ARENA';
const kNamespaces = ['--net', '--mount', '--pid', '--mount-proc', '--fork', '--kill-child'];
const kUser = ['--user', '--map-root-user'];
const kLifeline = 3; // a pipe whose other end closes when the outer program dies

/** Exit status of a program that found no way to make namespaces. */
export const kNoArena = 3;

/** Directory for state, sockets and logs. On the arena's tmpfs, gone with it. */
export const kArenaDirectory = '/run/faild-lab';

/** Whether the lab has the machine's own root rights: then SCHED_FIFO is to be had. */
export const arenaIsPrivileged = (): boolean => process.env[kInside] === 'root';

/** Goes in. In the outer program it never returns: it exits with the inner one's status. */
export function enterArena(): void {
  if (process.env[kInside]) settleIn();
  else process.exit(runInside(chooseNamespaces()));
}

/** What still lives in the arena besides this program: process ids and network namespaces. */
export function leftInArena(): { pids: number[]; namespaces: string[] } {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return {
    pids: pids.map(Number).filter((pid) => pid !== process.pid),
    namespaces: readdirSync('/run/netns'),
  };
}

function chooseNamespaces(): string[] {
  requireTools();
  const ways = process.getuid?.() === 0 ? [[], kUser] : [kUser];
  const complaints: string[] = [];
  for (const user of ways) {
    const flags = [...user, ...kNamespaces];
    const trial = spawnSync('unshare', [...flags, 'mount', '-t', 'tmpfs', 'lab', '/run'], {
      encoding: 'utf8',
    });
    if (trial.status === 0) return flags;
    complaints.push(trial.stderr.trim());
  }
  return giveUp(
    `this user may not create network namespaces (${complaints.join('; ')}).`,
    'Run it as root, or allow user namespaces:',
    '  sudo sysctl kernel.unprivileged_userns_clone=1               (Debian)',
    '  sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0   (Ubuntu)',
    '  sudo sysctl user.max_user_namespaces=10000                   (Fedora, RHEL)',
    'In a container, start it with --privileged.',
  );
}

function requireTools(): void {
  const packages = {
    unshare: 'util-linux',
    nsenter: 'util-linux',
    ip: 'iproute2',
    nft: 'nftables',
  };
  const path = `${process.env.PATH}:/usr/sbin:/sbin`;
  process.env.PATH = path; // an ordinary user's PATH often leaves out where ip and nft live
  for (const [tool, name] of Object.entries(packages)) {
    const found = spawnSync('sh', ['-c', `command -v ${tool}`]);
    if (found.status !== 0) giveUp(`${tool} is missing. Install it: sudo apt-get install ${name}`);
  }
}

function giveUp(...lines: string[]): never {
  process.stderr.write(`faild lab: ${lines.join('\n')}\n`);
  process.exit(kNoArena);
}

function runInside(namespaces: string[]): number {
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const inner = spawnSync('unshare', [...namespaces, ...self], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, [kInside]: namespaces.includes('--user') ? 'user' : 'root' },
  });
  if (inner.error) return giveUp(`cannot start unshare: ${inner.error.message}`);
  return inner.status ?? 1;
}

function settleIn(): void {
  const lifeline = new Socket({ fd: kLifeline, readable: true, writable: false });
  lifeline.on('close', () => process.exit(1)).on('error', () => {});
  lifeline.resume();
  lifeline.unref();
  // We are process 1 here: without a handler, these signals would be ignored.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(1));
  }
  const mounted = spawnSync('mount', ['-t', 'tmpfs', 'lab', '/run'], { encoding: 'utf8' });
  if (mounted.status !== 0) giveUp(`cannot mount a private /run: ${mounted.stderr.trim()}`);
  mkdirSync('/run/netns');
  mkdirSync(kArenaDirectory);
}

// The Debian packages that faild's own work needs, by purpose: the one table of them. As root the
// missing ones are installed; anybody else is told the command.
import { existsSync } from 'node:fs';
import { attempt, must, say } from './run.mjs';

const kGroups = {
  build: ['g++', 'make', 'python3'],
  // Namespaces, veth and rules; nft cuts a LAN in one direction.
  demo: ['iproute2', 'nftables'],
  test: ['cmake', 'doctest-dev', 'iproute2', 'nftables'],
  lint: ['clang', 'clang-format', 'clang-tidy'],
  fuzz: ['clang', 'libclang-rt-14-dev'],
  bench: ['clang', 'libbpf-dev', 'bpftool'],
};

function isInstalled(name) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholder
  const { ok, output } = attempt('dpkg-query', ['-W', '-f', '${db:Status-Status}\n', name]);
  return ok && output.includes('installed') && !output.includes('not-installed');
}

/** Makes the packages of these groups present, or ends the process with the command that would. */
export function ensureDebianPackages(groups) {
  // Another distribution: the build says what it misses.
  if (!existsSync('/usr/bin/dpkg-query')) return;
  const unknown = groups.filter((group) => !(group in kGroups));
  if (unknown.length > 0) {
    process.stderr.write(
      `no such group: ${unknown}; there are: ${Object.keys(kGroups).join(', ')}\n`,
    );
    process.exit(2);
  }
  const wanted = new Set(groups.flatMap((group) => kGroups[group]));
  const missing = [...wanted].filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  const names = missing.join(' ');
  if (process.getuid() !== 0) {
    process.stderr.write(
      `These Debian packages are missing: ${names}\n  sudo apt-get install -y --no-install-recommends ${names}\n`,
    );
    process.exit(1);
  }
  say(`installing Debian packages: ${names}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  must('apt-get update', 'apt-get', ['update'], env);
  must('apt-get install', 'apt-get', ['install', '-y', '--no-install-recommends', ...missing], env);
}

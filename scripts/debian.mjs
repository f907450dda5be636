// The Debian packages that faild's own work needs, by purpose: the one table of them. As root the
// missing ones are installed; anybody else is told the command.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { attempt, must, say } from './run.mjs';

const kUnattended = { DEBIAN_FRONTEND: 'noninteractive' };
const kInstall = ['install', '-y', '--no-install-recommends'];

const kGroups = {
  build: ['g++', 'make', 'python3'],
  // Namespaces, veth and rules; nft cuts a LAN in one direction.
  demo: ['iproute2', 'nftables'],
  // systemd: for systemd-networkd, which the lab runs on a host of its own.
  test: ['cmake', 'curl', 'doctest-dev', 'iproute2', 'logrotate', 'nftables', 'systemd'],
  // The shells, groff and mandoc judge the completions and the man pages, systemd-analyze the unit.
  lint: ['clang', 'clang-format', 'clang-tidy', 'fish', 'groff-base', 'mandoc', 'systemd', 'zsh'],
  fuzz: ['clang', 'libclang-rt-14-dev'],
  bench: ['clang', 'libbpf-dev', 'bpftool'],
  // promtool judges the alert rules; without it those tests are skipped, and say so.
  alerts: ['prometheus'],
};

// The neighbours that the bench compares faild with. They are optional: whoever is missing is left
// out of the comparison.
const kNeighbours = ['bird2', 'frr', 'keepalived', 'corosync'];
// What some packages would run as a service; nothing here wants that.
const kServices = {
  bird2: 'bird',
  frr: 'frr',
  keepalived: 'keepalived',
  corosync: 'corosync',
  logrotate: 'logrotate.timer',
  prometheus: 'prometheus',
};
const kPolicy = '/usr/sbin/policy-rc.d'; // Debian's word for "may this service be started now?"

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
  must('apt-get update', 'apt-get', ['update'], kUnattended);
  const quiet = missing.filter((name) => !(name in kServices));
  if (quiet.length > 0) must('apt-get install', 'apt-get', [...kInstall, ...quiet], kUnattended);
  const { ok, output } = installDisabled(missing.filter((name) => name in kServices));
  if (ok) return;
  process.stderr.write(`apt-get could not install all of them:\n${output}\n`);
  process.exit(1);
}

/** Installs packages that bring a service, which is started neither now nor at boot. */
function installDisabled(names) {
  if (names.length === 0) return { ok: true, output: '' };
  const outcome = withoutServices(() => attempt('apt-get', [...kInstall, ...names], kUnattended));
  for (const name of names.filter(isInstalled)) attempt('systemctl', ['disable', kServices[name]]);
  return outcome;
}

/**
 * Installs the neighbours where that can be done, and says what is missing where it cannot. No
 * service of theirs is started, now or when the machine boots.
 */
export function offerNeighbours() {
  if (!existsSync('/usr/bin/dpkg-query')) return;
  const missing = kNeighbours.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  const names = missing.join(' ');
  if (process.getuid() !== 0) {
    say(`left out of the comparison, as these Debian packages are missing: ${names}`);
    return;
  }
  say(`installing Debian packages, their services disabled: ${names}`);
  attempt('apt-get', ['update'], kUnattended);
  const outcome = installDisabled(missing);
  if (!outcome.ok) say(`apt-get could not install all of them:\n${outcome.output}`);
}

/** Packages that are installed meanwhile start no service. */
function withoutServices(install) {
  if (existsSync(kPolicy)) {
    const forbids = attempt('sh', ['-c', `${kPolicy} bird start; test $? = 101`]).ok;
    if (forbids) return install();
    return { ok: false, output: `${kPolicy} would let their services start` };
  }
  writeFileSync(kPolicy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return install();
  } finally {
    rmSync(kPolicy);
  }
}

// Aim: what packaging/ says is what the program does: the same paths, numbers and rights. systemd's
// own word on the unit, where systemd is installed.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { parseConfig } from '../../lib/config/config.js';
import { usualConfigFile } from '../../lib/config/settings.js';
import { unlessInstalled } from '../judges.js';

const read = (name: string) => readFileSync(join('packaging', name), 'utf8');
const unit = read('faild.service');

/** Of 10. systemd calls less than 4 "OK"; an unhardened service has 9.6. */
const kMostExposed = 2.5;

/** The values of a unit's key, in order. */
const said = (key: string) =>
  [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value);

t.test("the unit's directories are those that faild uses unless told otherwise", async (t) => {
  const { socket, stateDir } = parseConfig({});
  t.equal(socket, `/run/${said('RuntimeDirectory')}/faild.sock`);
  t.equal(stateDir, `/var/lib/${said('StateDirectory')}`);
  t.equal(usualConfigFile, `/etc/${said('ConfigurationDirectory')}/faild.yaml`);
  const logs = `/var/log/${said('LogsDirectory')}`;
  t.match(read('logrotate.d/faild'), new RegExp(`^${logs}/\\*\\.log \\{$`, 'm'));
  t.match(read('faild.yaml'), new RegExp(`^#log-file: ${logs}/\\w+\\.log$`, 'm'));
});

t.test('the rights are those that the engine asks for', async (t) => {
  const hint = readFileSync('native/io/errors.h', 'utf8');
  const asked = [...new Set(hint.match(/CAP_[A-Z_]+/g) ?? [])].sort();
  for (const key of ['AmbientCapabilities', 'CapabilityBoundingSet']) {
    t.same(said(key).join(' ').split(' ').sort(), asked, key);
  }
});

t.test("the protocol's number is faild's", async (t) => {
  const [, number] =
    /kRouteProtocol = (\d+)/.exec(readFileSync('native/base/routes.h', 'utf8')) ?? [];
  t.match(read('rt_protos.d/faild.conf'), new RegExp(`^${number}\\tfaild$`, 'm'));
});

const skip = unlessInstalled('systemd-analyze');

t.test('systemd finds no fault with the unit', { skip }, async (t) => {
  // The one thing that depends on where it is installed: any executable will do.
  const file = join(t.testdir(), 'faild.service');
  const here = unit.replace(/^(ExecStart|ExecReload)=faild\b/gm, `$1=${process.execPath}`);
  t.not(here, unit);
  writeFileSync(file, here);
  const { error, stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
  t.equal(error, undefined);
  // Of this machine's other units it may say what it likes.
  t.same(
    stderr.split('\n').filter((line) => line.includes('faild')),
    [],
  );
});

t.test("systemd rates the unit's exposure as docs/operating.md says", { skip }, async (t) => {
  const analyze = (...args: string[]) =>
    spawnSync('systemd-analyze', [...args], { encoding: 'utf8' }).stdout;
  const rating = analyze('security', '--offline=true', 'packaging/faild.service');
  const [, exposure = ''] = /Overall exposure level for faild\.service: (\S+)/.exec(rating) ?? [];
  t.ok(Number(exposure || 10) <= kMostExposed, `exposure ${exposure}`);
  const guide = readFileSync('docs/operating.md', 'utf8').replace(/\s+/g, ' ');
  const [, by, told] =
    /`systemd-analyze security` \((\d+)\) rates its exposure (\d\.\d)/.exec(guide) ?? [];
  t.ok(by, 'the guide says a figure, and whose');
  // Each version of systemd knows more ways to harden a unit, and rates anew.
  if (analyze('--version').startsWith(`systemd ${by} `)) t.equal(exposure, told);
});

// Aim: what packaging/ says is what the program does: the same paths, numbers and rights. systemd's
// own word on the unit, where systemd is installed.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { parseConfig } from '../../lib/config/config.js';
import { usualConfigFile } from '../../lib/config/settings.js';

const read = (name: string) => readFileSync(join('packaging', name), 'utf8');
const unit = read('faild.service');

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

const found = spawnSync('systemd-analyze', ['--version']).status === 0;
const skip = found ? false : 'systemd-analyze is not installed';

t.test('systemd finds no fault with the unit', { skip }, async (t) => {
  // The one thing that depends on where it is installed: any executable will do.
  const file = join(t.testdir(), 'faild.service');
  const here = unit.replace(/^(ExecStart|ExecReload)=faild\b/gm, `$1=${process.execPath}`);
  t.not(here, unit);
  writeFileSync(file, here);
  const { stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
  // Of this machine's other units it may say what it likes.
  t.same(
    stderr.split('\n').filter((line) => line.includes('faild')),
    [],
  );
});

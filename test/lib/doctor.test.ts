// Aim: what `faild doctor` prints, and the file that it writes: only settings that were asked for,
// with their reason, and never over somebody else's file.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { type Diagnosis, renderDiagnosis, renderFix, writeFix } from '../../lib/doctor/doctor.js';
import type { Finding } from '../../lib/doctor/findings.js';
import { breaches } from '../schemas.js';

const strict: Finding = {
  check: 'rp-filter',
  severity: 'advice',
  found: 'rp_filter is strict on eth1.7',
  why: 'some packets are dropped',
  remedy: 'set it to 2',
  sysctls: { 'net/ipv4/conf/eth1.7/rp_filter': 2 },
};
const mtu: Finding = {
  check: 'mtu',
  severity: 'warning',
  found: 'they differ',
  why: 'connections hang',
  remedy: 'make them alike',
};

const diagnosis = (findings: Finding[], running = true): Diagnosis => ({
  schema: 'faild.doctor/1',
  version: '0',
  healthy: false,
  running,
  checks: ['rp-filter', 'mtu'],
  timerLatenessUs: 90,
  findings,
});

t.test('for programs', async (t) => {
  t.same(breaches(diagnosis([strict, mtu])), []);
});

t.test('for people', async (t) => {
  t.same(renderDiagnosis(diagnosis([mtu, strict])).split('\n'), [
    'warning: mtu: they differ',
    '    why: connections hang',
    '    remedy: make them alike',
    '',
    'advice: rp-filter: rp_filter is strict on eth1.7',
    '    why: some packets are dropped',
    '    remedy: set it to 2',
    '',
    '2 checks: 1 warning, 1 advice; timers up to 90 us late',
    '',
  ]);
  t.match(
    renderDiagnosis(diagnosis([], false)),
    /^2 checks: nothing amiss; timers up to 90 us late; no daemon answers/,
  );
});

t.test('the file that mends', async (t) => {
  t.equal(renderFix([mtu]), null);
  const [head, ...lines] = renderFix([mtu, strict])?.split('\n') ?? [];
  t.match(head, /^# Written by faild doctor /);
  t.same(lines, [
    '',
    '# rp_filter is strict on eth1.7:',
    '# some packets are dropped',
    'net/ipv4/conf/eth1.7/rp_filter = 2',
    '',
  ]);
});

t.test("it keeps what it mended before, and is never written over another's", async (t) => {
  const path = join(t.testdir({ other: 'vm.swappiness = 1\n' }), '60-faild.conf');
  t.match(writeFix(path, [mtu]), /nothing that a sysctl would mend/);
  writeFix(path, [strict]);
  writeFix(path, [{ ...strict, sysctls: { 'net/core/rmem_max': 1 } }]);
  t.match(readFileSync(path, 'utf8'), /^net\/ipv4\/conf\/eth1\.7\/rp_filter = 2\n/m);
  t.match(readFileSync(path, 'utf8'), /rmem_max = 1\n$/);
  writeFix(path, [{ ...strict, sysctls: { 'net/core/rmem_max': 2 } }]);
  t.same(readFileSync(path, 'utf8').match(/^.* = .*$/gm), [
    'net/ipv4/conf/eth1.7/rp_filter = 2',
    'net/core/rmem_max = 2',
  ]);
  writeFileSync(path, '# mine\n');
  t.throws(() => writeFix(path, [strict]), { code: 'EEXIST', exitStatus: 2 });
  t.throws(() => writeFix('/no/such/directory/x', [strict]), { code: 'ENOENT', exitStatus: 2 });
});

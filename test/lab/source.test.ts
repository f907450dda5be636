// Aim: the source address of traffic that has moved is the one that `source` says, and a reload
// changes it; traffic that is bound to an address keeps its own either way.
import './in-arena.js';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { kArenaDirectory } from './arena.js';
import { faild, place } from './daemon.js';
import { Lab } from './lab.js';

t.test('own or alternate, changed in place while traffic is away', async (t) => {
  const file = join(kArenaDirectory, 'source.yaml');
  writeFileSync(file, 'source: alternate\n');
  const lab = await Lab.open(t, { special: { 1: { more: ['--config', file] } } });
  const host = lab.topology.host(1);
  const way = (...what: string[]) => host.run('ip', 'route', 'get', ...what);
  t.match(await way('10.1.0.2'), 'dev lana src 10.1.0.1', 'nothing has moved');
  const bound = await lab.stream(1, 2, 'a');

  await lab.cuts.cut({ lan: 'a' });
  await lab.goes('a', 'b');
  t.match(await way('10.1.0.2'), /via 10\.2\.0\.2 dev lanb .*src 10\.2\.0\.1/);
  t.match(await way('fd00:1::2'), /via \S+ dev lanb .*src fd00:2::1/);
  t.match(
    await way('10.1.0.2', 'from', '10.1.0.1'),
    '10.1.0.2 from 10.1.0.1 via 10.2.0.2 dev lanb',
  );
  await lab.flows(bound);

  writeFileSync(file, 'source: own\n');
  const reloaded = await faild(host, 'reload', ...place(host));
  t.match(reloaded, { status: 0, stdout: /source: alternate -> own \(applied\)/ });
  await lab.until('the own source', async () => {
    const found = await way('10.1.0.2');
    return /via 10\.2\.0\.2 dev lanb .*src 10\.1\.0\.1/.test(found) ? [] : [found];
  });
  await lab.flows(bound);
  await lab.cuts.heal({ lan: 'a' });
  await lab.goes('a', 'a');
  await lab.stopsClean(t);
});

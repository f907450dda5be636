// Aim: a host that `peers-allowed` does not name is no peer: its packets are counted and leave no
// trace; a reload lets it in and puts it out again, and no path of the others changes its state.
import './in-arena.js';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { kArenaDirectory } from './arena.js';
import { faild, place } from './daemon.js';
import { Lab } from './lab.js';
import { nowUs } from './shell.js';

t.test('a third host is ignored, let in by a reload, and put out by another', async (t) => {
  const file = join(kArenaDirectory, 'allowed.yaml');
  const allow = (...who: string[]) => writeFileSync(file, `peers-allowed: [${who.join(', ')}]\n`);
  const two = ['10.1.0.2', '10.2.0.2', '"fd00:1::2"', '"fd00:2::2"'];
  allow(...two);
  const special = { 1: { more: ['--config', file] } };
  const lab = await Lab.open(t, { hosts: 3, start: [1, 2], special });
  const host = lab.topology.host(1);
  const reload = async () => {
    const { status, stdout } = await faild(host, 'reload', ...place(host));
    t.equal(status, 0, stdout.trim());
  };
  const look = async () => {
    const { status } = await lab.daemon(1).status();
    const { drops } = status as unknown as { drops: Record<string, number> };
    return { peers: status.peers.map(({ name }) => name), dropped: drops['not-allowed'] ?? 0 };
  };
  await lab.start(3);
  await lab.daemon(2).knows(lab.topology.host(3));
  await lab.until('host3 is dropped', async () => {
    const { dropped } = await look();
    return dropped > 20 ? [] : [`${dropped} packets`];
  });
  t.same((await look()).peers, ['host2']);
  t.match((await lab.said(['dropped'], { host: 1 }))[0], { drop: 'not-allowed' });
  t.notMatch((await lab.entries(1)).join(), '10.1.0.3', 'nothing of it in the kernel');

  const sinceUs = nowUs();
  allow(...two, '10.1.0.3', '10.2.0.3', '"fd00:1::3"', '"fd00:2::3"');
  await reload();
  await lab.daemon(1).knows(lab.topology.host(3));
  allow(...two);
  await reload();
  await lab.daemon(1).saw('peer-forgotten', ({ reason }) => reason === 'operator');
  await lab.until('nothing of host3 is left', async () => {
    const left = (await lab.entries(1)).filter((entry) => /10\.[12]\.0\.3"|::3"/.test(entry));
    return [...left, ...(await look()).peers.filter((name) => name === 'host3')];
  });
  const verdicts = await lab.said(['path-down', 'path-up', 'peer-forgotten'], { host: 1, sinceUs });
  const ofHost2 = verdicts.filter((line) => /host2/.test(String(line.msg)));
  t.same(ofHost2, [], 'no word of host2');
  await lab.stopsClean(t);
});

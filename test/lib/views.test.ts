// Aim: `faild peers` and `faild paths` say what the status says, and an engine that hangs is not
// overlooked.
import t from 'tap';
import { pathsView, peersView } from '../../lib/cluster/views.js';
import { renderPaths, renderPeers } from '../../lib/text/views.js';
import { idOf, sketch } from './statuses.js';

const away = { state: 'down', reason: 'silent', via: 'B', missed: 4, lastHeardUs: 45_000 } as const;
const status = sketch({
  web1: { A: 'up', B: 'up' },
  web2: { A: { ...away, failovers: 2, loss: 0.05 }, B: 'up' },
  web3: { A: 'down', B: { state: 'down', lastHeardUs: null } },
  web4: { A: 'stopped', B: 'stopped' },
  web5: { A: 'unknown', B: 'unknown' },
});

t.test('peers: one state each, from those of their paths', async (t) => {
  const view = peersView(status);
  t.match(view, { schema: 'faild.peers/1', ageUs: 120, engine: { alive: true, heartbeats: 9 } });
  t.same(
    view.peers.map(({ name, state, paths, moved }) => [name, state, Object.values(paths), moved]),
    [
      ['web1', 'up', [2, 0, 0], 0],
      ['web2', 'partly', [1, 1, 0], 1],
      ['web3', 'down', [0, 2, 0], 0],
      ['web4', 'stopped', [0, 0, 2], 0],
      ['web5', 'unknown', [0, 0, 2], 0],
    ],
  );
  t.same(renderPeers(view).split('\n').slice(0, 2), [
    `web1  up       2 of 2 paths up  2 ms ago  requestor, ${idOf('web1')}`,
    `web2  partly   1 of 2 paths up  2 ms ago  requestor, ${idOf('web2')}, traffic of 1 LAN moved`,
  ]);
});

t.test('paths: of all peers, or of one', async (t) => {
  t.equal(pathsView(status, status.peers).paths.length, 10);
  const one = pathsView(status, status.peers.slice(1, 2));
  t.match(one.paths, [
    { peer: { name: 'web2' }, lan: 'A', via: 'B' },
    { peer: { name: 'web2' }, lan: 'B', via: null },
  ]);
  t.match(
    renderPaths(one),
    /^web2 {2}A {2}10\.1\.0\.3 {2}down {2}45 ms ago .*via B {2}loss 5\.0 %, 2 failovers$/m,
  );
});

t.test('an engine that hangs is said first', async (t) => {
  const hung = sketch({ web1: { A: 'up' } }, { alive: false });
  for (const text of [renderPeers(peersView(hung)), renderPaths(pathsView(hung, hung.peers))]) {
    t.match(text, /^THE ENGINE'S THREAD DOES NOT ANSWER: all of this is 120 us old\n\n/);
    t.match(text, /^\(120 us old; the engine's thread hangs\)$/m);
  }
});

// Aim: of a move by hand it is said truly whether traffic has left, what stays and why, and names
// that are not known are refused with those that are.
import t from 'tap';
import { answerHostDrain } from '../../lib/cluster/host-drain.js';
import { answerMove, checkScope, findPeer, hasLeft } from '../../lib/cluster/moves.js';
import { renderHostDrain, renderMove, wasDone } from '../../lib/text/moves.js';
import { idOf, sketch } from './statuses.js';

const lanA = { lan: 'A', peer: null };

t.test('names', async (t) => {
  const status = sketch({ web1: { A: 'up' }, web2: { A: 'up' } });
  checkScope(status, lanA);
  checkScope(status, { lan: 'A', peer: 'web2' });
  t.throws(() => checkScope(status, { lan: 'Z', peer: null }), {
    code: 'ENOENT',
    exitStatus: 2,
    message: "there is no LAN 'Z'; there are: A",
  });
  t.throws(() => findPeer(status.peers, 'web3'), {
    code: 'ENOENT',
    message: "there is no peer 'web3'; there are: web1, web2",
  });
  const [one, other] = status.peers;
  const twins = [one, other].flatMap((peer) => (peer ? [{ ...peer, name: 'twin' }] : []));
  t.throws(() => findPeer(twins, 'twin'), { code: 'EINVAL', message: /is the name of two peers/ });
  t.equal(findPeer(twins, idOf('web2')).id, idOf('web2'));
});

t.test('drain: done when nobody takes the LAN who could take another', async (t) => {
  const drained = ['A'];
  const still = sketch({ web1: { A: 'up', B: 'up' } }, { drained });
  t.equal(hasLeft(still, lanA), false);
  const asAlternate = sketch(
    { web1: { A: { via: 'C' }, B: { state: 'down', via: 'A' }, C: 'up' } },
    { drained },
  );
  t.equal(hasLeft(asAlternate, lanA), false, "B's traffic takes it");
  const left = sketch({ web1: { A: { via: 'B' }, B: 'up' } }, { drained });
  t.equal(hasLeft(left, lanA), true);
  t.match(answerMove('drain', left, lanA), {
    schema: 'faild.move/1',
    paths: 1,
    away: 1,
    users: [],
    drained,
  });
  t.equal(wasDone(answerMove('drain', left, lanA)), true);
  t.match(renderMove(answerMove('drain', left, lanA)), /^LAN A is drained: no traffic of ours /);

  const alone = sketch(
    { web1: { A: { via: 'B' }, B: 'up' }, web2: { A: 'up', B: { state: 'down', via: 'A' } } },
    { drained },
  );
  t.equal(hasLeft(alone, lanA), true, 'nothing else reaches web2: not waited for');
  const answer = answerMove('drain', alone, lanA);
  t.equal(wasDone(answer), false);
  t.match(answer.users, [
    { peer: { name: 'web2' }, lan: 'A' },
    { peer: { name: 'web2' }, lan: 'B' },
  ]);
  t.match(renderMove(answer), /nothing else reaches web2, whose traffic stays\n$/);
});

t.test('failover: of one peer, of all', async (t) => {
  const status = sketch({
    web1: { A: { via: 'B' }, B: 'up' },
    web2: { A: 'up', B: 'up' },
  });
  t.equal(hasLeft(status, { lan: 'A', peer: 'web1' }), true);
  t.equal(hasLeft(status, lanA), false);
  const one = answerMove('failover', status, { lan: 'A', peer: 'web1' });
  t.match(one, { peer: { name: 'web1' }, paths: 1, away: 1 });
  t.equal(wasDone(one), true);
  const all = answerMove('failover', status, lanA);
  t.equal(wasDone(all), false);
  t.match(renderMove(all), /^1 of 2 moved; nothing else reaches web2, /);
});

t.test('this host: who is up and has not acknowledged it is named', async (t) => {
  const status = sketch({
    web1: { A: 'up', B: 'down' },
    web2: { A: 'up', B: 'up' },
    web3: { A: 'stopped', B: 'stopped' },
  });
  const untold = (names: string[]) => ({
    ...status,
    peers: status.peers.map((peer) => ({ ...peer, untold: names.includes(peer.name) })),
  });
  const done = answerHostDrain('drain-host', untold(['web3']));
  t.match(done, { schema: 'faild.host-drain/1', action: 'drain-host', peers: 2 });
  t.same(done.untold, [], 'web3 is not up: not waited for');
  t.match(renderHostDrain(done), /^this host is drained, and all 2 peers have acknowledged it: /);
  const told = answerHostDrain('drain-host', untold(['web1', 'web3']));
  t.same(told.untold, [{ id: idOf('web1'), name: 'web1' }]);
  t.match(
    renderHostDrain(told),
    /^this host is drained, but web1 did not acknowledge it: do not stop it yet\n$/,
  );
  const back = answerHostDrain('undrain-host', untold([]));
  t.equal(
    renderHostDrain(back),
    'this host is not drained any more, and all 2 peers have acknowledged it\n',
  );
  t.match(
    renderHostDrain(answerHostDrain('drain-host', sketch({}))),
    /no peer is up to hear of it/,
  );
});

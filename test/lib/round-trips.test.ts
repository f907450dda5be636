// Aim: a stream of round trips tells what came, what was lost and nothing of what was asked too
// early; a path that does not exist is named.
import t from 'tap';
import { FaildError } from '../../lib/base/errors.js';
import { type Prober, sampleRoundTrips } from '../../lib/cluster/round-trips.js';
import type { Status } from '../../lib/cluster/status.js';

const status = {
  lans: [
    { name: 'A', index: 0 },
    { name: 'B', index: 1 },
  ],
  peers: [{ name: 'host2', id: '00000000000000a2' }],
} as Status;

/** Answers from a list: a number, or the code of the error. */
function prober(answers: (number | string)[]): Prober & { asked: [string, number][] } {
  const asked: [string, number][] = [];
  return {
    asked,
    status: async () => status,
    async roundTrip(peer, lan) {
      asked.push([peer, lan]);
      const answer = answers.shift() ?? 'ESTOPPED';
      if (typeof answer === 'number') return answer;
      throw new FaildError(answer, 'refused');
    },
  };
}

t.test('what came and what was lost, until the engine stops', async (t) => {
  const target = prober([31.5, 'ETIMEDOUT', 'EAGAIN', 'EBUSY', 'EHOSTUNREACH', 40]);
  const seen: (number | null)[] = [];
  const reading = async () => {
    for await (const { roundTripUs } of sampleRoundTrips(target, 'host2', 'B')) {
      seen.push(roundTripUs);
    }
  };
  await t.rejects(reading(), { code: 'ESTOPPED' });
  t.same(seen, [31.5, null, null, 40]);
  t.same(target.asked[0], ['00000000000000a2', 1]);
  t.equal(target.asked.length, 7);
});

t.test('no such peer, no such LAN', async (t) => {
  const nobody = sampleRoundTrips(prober([]), 'host9', 'B').next();
  await t.rejects(nobody, { code: 'ENOENT', message: /host2/ });
  const nowhere = sampleRoundTrips(prober([]), 'host2', 'C').next();
  await t.rejects(nowhere, { code: 'ENOENT', message: /A, B/ });
});

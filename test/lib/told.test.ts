// Aim: after a loss of events the table tells exactly what was missed, and nothing twice.
import t from 'tap';

import type { NativeEvent, NativeSnapshot, PathStateName } from '../../lib/engine/native.js';
import { Told } from '../../lib/engine/told.js';

const event = (kind: string, atUs: number, host: string | null, lan = 0): NativeEvent =>
  ({ kind, atUs, host, lan }) as NativeEvent;

const path = (host: string, lan: number, state: PathStateName, sinceUs: number) => ({
  host,
  lan,
  state,
  sinceUs,
  reason: 'silent',
  silenceUs: 30,
  missed: 3,
  intervalUs: 10,
});

function table(
  paths: ReturnType<typeof path>[],
  lans: { index: number; state: string; sinceUs: number; pathsDown: number }[] = [],
): NativeSnapshot {
  const hosts = [...new Set(paths.map(({ host }) => host))];
  return { peers: hosts.map((host) => ({ host })), paths, lans } as unknown as NativeSnapshot;
}

const news = (told: Told, snapshot: NativeSnapshot): string[] =>
  told
    .catchUp(snapshot)
    .filter((row) => told.note(row))
    .map(({ kind, host, lan, atUs }) => `${atUs} ${kind} ${host ?? 'LAN'} ${lan}`);

t.test('what was told is not news; what was not is, oldest first', async (t) => {
  const told = new Told();
  for (const each of [event('peer-found', 1, 'a'), event('path-up', 2, 'a')]) told.note(each);
  const now = table([path('a', 0, 'up', 2), path('a', 1, 'down', 9), path('b', 0, 'up', 7)]);
  t.same(news(told, now), ['7 peer-found b 0', '7 path-up b 0', '9 path-down a 1']);
  t.same(news(told, now), []);
});

t.test('an event that comes after its row is not told again, a later one is', async (t) => {
  const told = new Told();
  news(told, table([path('a', 0, 'up', 5)]));
  t.notOk(told.note(event('peer-found', 4, 'a')));
  t.notOk(told.note(event('path-up', 5, 'a')));
  t.notOk(told.note(event('path-down', 3, 'a')), 'the table has gone past it');
  t.ok(told.note(event('path-down', 6, 'a')));
  t.ok(told.note(event('failover', 6, 'a')), 'what is no state is always told');
});

t.test('down and up again, both lost: the new state is told with its own instant', async (t) => {
  const told = new Told();
  told.note(event('peer-found', 1, 'a'));
  told.note(event('path-up', 2, 'a'));
  t.same(news(told, table([path('a', 0, 'up', 8)])), ['8 path-up a 0']);
});

t.test('a LAN that is down speaks for its paths; its return only after its fall', async (t) => {
  const told = new Told();
  const lan = (state: string, sinceUs: number) => [{ index: 0, state, sinceUs, pathsDown: 1 }];
  told.note(event('peer-found', 1, 'a'));
  told.note(event('path-up', 2, 'a'));
  const up = path('a', 0, 'up', 2);
  t.same(news(told, table([up], lan('up', 0))), []);
  t.same(news(told, table([path('a', 0, 'down', 5)], lan('down', 5))), ['5 lan-down LAN 0']);
  t.same(news(told, table([path('a', 0, 'up', 8)], lan('up', 9))), [
    '8 path-up a 0',
    '9 lan-up LAN 0',
  ]);
});

t.test('a path that nothing was proven of is no news', async (t) => {
  const told = new Told();
  t.same(news(told, table([path('a', 0, 'unknown', 5)])), ['5 peer-found a 0']);
});

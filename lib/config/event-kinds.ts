// The kinds of events that faild tells, by name. Below all that speaks of them: the shapes are in
// events.ts, and hooks choose by kind (hook-kind.ts).

export const eventKinds = [
  'peer-found',
  'peer-restarted',
  'peer-changed',
  'peer-forgotten',
  'path-up',
  'path-down',
  'path-stopped',
  'lan-down',
  'lan-up',
  'failover',
  'switchback',
  'lan-failover',
  'lan-switchback',
  'isolated',
  'rejoined',
  'stalled',
  'receive-drops',
  'dropped',
  'route-failed',
  'route-repaired',
  'adopted',
  'table-full',
  'lan-muted',
  'lan-unmuted',
  'peer-drained',
  'peer-undrained',
  'lost',
] as const;

export type EventKind = (typeof eventKinds)[number];

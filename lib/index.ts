// The public door: `import { Faild } from 'faild'`. What is not exported here may change at any
// time.

export { ConfigFaults, FaildError, type Fault } from './base/errors.js';
export { version } from './base/version.js';
export type { CutAnswer, CutOrder } from './cluster/cuts.js';
export type { Recent } from './cluster/event-ring.js';
export type {
  EventDetails,
  EventKind,
  Evidence,
  FaildEvent,
  LanRef,
  MuteDirection,
  PathRef,
  PeerProbes,
  PeerRef,
  Timing,
} from './cluster/events.js';
export { cleanup, type EmbedderOptions, Faild } from './cluster/faild.js';
export type { HostDrainAction, HostDrainAnswer } from './cluster/host-drain.js';
export type { MoveAction, MoveAnswer, MoveScope } from './cluster/moves.js';
export { configuredPolicy, type Plan, type Policy, type PolicyInput } from './cluster/policy.js';
export type { EventStream } from './cluster/reader-queue.js';
export type {
  Status,
  StatusAlternate,
  StatusEngine,
  StatusHost,
  StatusLan,
  StatusPath,
  StatusPeer,
  StatusPlan,
  StatusScheduling,
  StatusSettings,
} from './cluster/status.js';
export type {
  Config,
  FaildOptions,
  LanChoice,
  SwitchbackChoice,
  TransportChoice,
} from './config/config.js';
export type { NativeLan as Lan } from './engine/native.js';
export type { ProbeFacts, RecordedProbe } from './engine/probes.js';
export { renderStatus } from './text/status.js';

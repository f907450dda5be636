// The public door: `import { Faild } from 'faild'`. What is not exported here may change at any
// time.
export type {
  Config,
  FaildOptions,
  LanChoice,
  SwitchbackChoice,
  TransportChoice,
} from './config.js';
export type { CutAnswer, CutOrder } from './cuts.js';
export { ConfigFaults, FaildError, type Fault } from './errors.js';
export type { EventStream } from './event-queue.js';
export type { Recent } from './event-ring.js';
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
} from './events.js';
export { cleanup, type EmbedderOptions, Faild } from './faild.js';
export type { MoveAction, MoveAnswer, MoveScope } from './moves.js';
export type { NativeLan as Lan } from './native.js';
export { configuredPolicy, type Plan, type Policy, type PolicyInput } from './policy.js';
export type { ProbeFacts, RecordedProbe } from './probes.js';
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
} from './status.js';
export { renderStatus } from './status-text.js';
export { version } from './version.js';

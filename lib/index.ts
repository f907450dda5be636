// The public door: `import { Faild } from 'faild'`. What is not exported here may change at any
// time.
export type { FaildOptions, LanChoice, TransportChoice } from './config.js';
export { FaildError } from './errors.js';
export type { EventStream } from './event-queue.js';
export type {
  EventDetails,
  EventKind,
  Evidence,
  FaildEvent,
  LanRef,
  PathRef,
  PeerRef,
  Timing,
} from './events.js';
export { cleanup, Faild } from './faild.js';
export type {
  Status,
  StatusAlternate,
  StatusHost,
  StatusLan,
  StatusPath,
  StatusPeer,
  StatusScheduling,
  StatusSettings,
} from './status.js';
export { renderStatus } from './status-text.js';
export { version } from './version.js';

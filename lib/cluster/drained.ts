// Which LANs the operator has drained, kept over restarts: an upgrade in the middle of a
// maintenance must not bring traffic back. One name a line; no file: none. Used by faild.ts.
import { join } from 'node:path';

import { readWhole, writeWhole } from '../base/state-files.js';

/** Their names; a LAN that has left the configuration since may be among them. */
export function readDrained(stateDir: string): string[] {
  return readWhole(fileIn(stateDir))?.split('\n').filter(Boolean) ?? [];
}

/** On disk when this returns. Throws when it cannot be, and then the old list stands. */
export function writeDrained(stateDir: string, names: readonly string[]): void {
  writeWhole(fileIn(stateDir), names.join('\n'));
}

function fileIn(stateDir: string): string {
  return join(stateDir, 'drained');
}

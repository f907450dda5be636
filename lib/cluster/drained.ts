// What the operator has drained, kept over restarts: an upgrade in the middle of a maintenance must
// not bring traffic back, nor a reboot blame. One name a line, `*` for the whole host, which no LAN
// is called; no file: nothing. Used by faild.ts.
import { join } from 'node:path';

import { readWhole, writeWhole } from '../base/state-files.js';

export interface Drained {
  /** Their names; a LAN that has left the configuration since may be among them. */
  lans: readonly string[];
  /** The whole host. */
  host: boolean;
}

const wholeHost = '*';

export function readDrained(stateDir: string): Drained {
  const lines = readWhole(fileIn(stateDir))?.split('\n').filter(Boolean) ?? [];
  return { lans: lines.filter((line) => line !== wholeHost), host: lines.includes(wholeHost) };
}

/** On disk when this returns. Throws when it cannot be, and then the old list stands. */
export function writeDrained(stateDir: string, { lans, host }: Drained): void {
  writeWhole(fileIn(stateDir), [...lans, ...(host ? [wholeHost] : [])].join('\n'));
}

function fileIn(stateDir: string): string {
  return join(stateDir, 'drained');
}

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

/** What a start has to say of it. */
export function stillDrained({ lans, host }: Drained, present: readonly { name: string }[]) {
  const those = present.filter(({ name }) => lans.includes(name));
  return [
    ...those.map(
      ({ name }) => `LAN ${name} is drained still: 'faild undrain ${name}' lets traffic return`,
    ),
    ...(host ? [hostStillDrained] : []),
  ];
}

const hostStillDrained =
  "this host is drained still: peers take its silence for planned, until 'faild undrain --host'";

function fileIn(stateDir: string): string {
  return join(stateDir, 'drained');
}

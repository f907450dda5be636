// Probes for people: one line each. Pure; used by text/explain.ts and verbs.ts.

import { align } from '../base/text-table.js';
import { showDuration } from '../base/units.js';
import type { MissedProbes } from '../cluster/probes-live.js';
import type { Status } from '../cluster/status.js';
import type { ProbeFacts, RecordedProbe, SeenProbe } from '../engine/probes.js';
import { ageLine, engineLine } from './status.js';

type Recorded = Pick<Status, 'engine' | 'ageUs'> & { probes: SeenProbe[] };

/** `12:00:00.123456  A  <- host2  inq  4711  gap 10 ms, 80 us late` */
export function renderSeen(line: SeenProbe | MissedProbes): string {
  if ('more' in line) return `${' '.repeat(15)}  (${line.more} more)\n`;
  const what = `${line.kind.padEnd(11)} ${String(line.sequence).padStart(8)}`;
  const text = `${line.at.slice(11, 26)}  ${placeOf(line)}${what}  ${notesOn(line)}`;
  return `${text.trimEnd()}\n`;
}

/** What the recorder holds, as one page. */
export function renderProbes(answer: Recorded): string {
  const { probes } = answer;
  const lines = probes.length === 0 ? ['no probe recorded\n'] : probes.map(renderSeen);
  return [
    ...engineLine(answer).map((line) => `${line}\n`),
    ...lines,
    '\n',
    ageLine(answer),
    '\n',
  ].join('');
}

/** `-30.2 ms  <- inq  4711  gap 10 ms, 80 us late` */
export function renderRecorded(probes: readonly RecordedProbe[]): string[] {
  return align(
    probes.map((probe) => [
      `${probe.atUs > 0 ? '' : '-'}${showDuration(Math.abs(probe.atUs))}`,
      `${arrowOf(probe)} ${probe.kind}`,
      String(probe.sequence),
      notesOn(probe),
    ]),
  );
}

function placeOf(line: SeenProbe): string {
  const peer = line.peer === null ? 'everybody' : line.peer.name;
  return `${line.lan}  ${arrowOf(line)} ${peer.padEnd(12)}  `;
}

function arrowOf({ direction }: ProbeFacts): string {
  return direction === 'sent' ? '->' : '<-';
}

function notesOn(probe: ProbeFacts): string {
  const { gapUs, lost, lateUs, roundTripUs, unreadUs, direction } = probe;
  const who = direction === 'sent' ? 'we do not hear it' : 'it does not hear us';
  return [
    gapUs === undefined ? '' : `gap ${showDuration(gapUs)}`,
    lost === undefined ? '' : `${lost} lost before it`,
    lateUs === undefined ? '' : showLate(lateUs),
    roundTripUs === undefined ? '' : `rtt ${showDuration(roundTripUs)}`,
    unreadUs === undefined || unreadUs < 1 ? '' : `unread for ${showDuration(unreadUs)}`,
    probe.urgent ? 'out of turn' : '',
    probe.unheard ? who : '',
    probe.refused ? 'refused: old or repeated' : '',
  ]
    .filter(Boolean)
    .join(', ');
}

function showLate(us: number): string {
  if (Math.abs(us) < 1) return 'on time';
  return us > 0 ? `${showDuration(us)} late` : `${showDuration(-us)} early`;
}

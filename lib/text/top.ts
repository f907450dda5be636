// The picture of `faild top`: what is wrong first, then as much as the terminal holds. Pure: from
// two looks at the status and the last events to lines that fit. Used by top-run.ts.

import { align, type Row } from '../base/text-table.js';
import { showDuration } from '../base/units.js';
import type { FaildEvent } from '../cluster/events.js';
import type { Status, StatusPeer } from '../cluster/status.js';
import { describe } from '../journal/log-lines.js';
import { engineLine, lanRow, nameOf, pathRow, renderSummary } from './status.js';

export interface Picture {
  status: Status;
  /** The look before, for rates; undefined at the first. */
  before: Status | undefined;
  /** The newest last. */
  events: readonly FaildEvent[];
  /** Why the daemon does not answer just now; null: it does. */
  trouble: string | null;
  rows: number;
  columns: number;
  /** Lines of the table of paths that are scrolled away. */
  offset: number;
}

export type Tone = 'plain' | 'title' | 'bad' | 'moved' | 'dim';

export interface Line {
  text: string;
  tone: Tone;
}

/** Of the screen for the events at the bottom. */
const eventShare = 4;

/** At most `rows` lines of at most `columns` characters, none of which moves the cursor. */
export function drawTop(picture: Picture): Line[] {
  const { status, events, rows, columns, offset } = picture;
  const head = [...headOf(picture), ...lansOf(status), line('')];
  const table = pathsOf(status);
  const news = events.slice(-Math.max(1, Math.floor(rows / eventShare))).map(eventLine);
  const foot = [line(''), ...news, line('q: quit   up, down: scroll', 'dim')];
  const room = Math.max(0, rows - head.length - foot.length);
  const last = lastOffset(table.length, room);
  const from = Math.min(offset, last);
  const shown = table.slice(from, from + room);
  const hidden = table.length - shown.length;
  if (hidden > 0 && room > 0) {
    shown[room - 1] = line(`... ${hidden + 1} more lines`, 'dim');
  }
  const padding = Array.from({ length: room - shown.length }, () => line(''));
  return [...head, ...shown, ...padding, ...foot].slice(0, rows).map((each) => fit(each, columns));
}

/** How far the table can be scrolled: the last screen is a full one. */
export function lastOffset(lines: number, room: number): number {
  return Math.max(0, lines - room + 1);
}

function headOf({ status, before, trouble }: Picture): Line[] {
  const { host, version, settings, ageUs } = status;
  const every = settings.requestor ? `every ${showDuration(settings.intervalUs)}` : 'responder';
  const title = `${host.name}  faild ${version}  ${every}  ${showDuration(ageUs)} old`;
  const summary = renderSummary(status);
  return [
    line(title, 'title'),
    ...(trouble === null ? [] : [line(`NO ANSWER: ${trouble}; what follows is old`, 'bad')]),
    ...engineLine(status)
      .filter(Boolean)
      .map((text) => line(text, 'bad')),
    line(summary, summary.endsWith('no path down') ? 'plain' : 'bad'),
    line(ratesOf(status, before), 'dim'),
    line(''),
  ];
}

function ratesOf(status: Status, before: Status | undefined): string {
  const count = (from: Status, key: string) => from.counters[key] ?? 0;
  const totals = `${count(status, 'failovers')} failovers, ${count(status, 'stalls')} stalls`;
  if (before === undefined) return totals;
  const seconds = (Date.parse(status.takenAt) - Date.parse(before.takenAt)) / 1000;
  const rate = (key: string) => {
    const grown = count(status, key) - count(before, key);
    return seconds > 0 && grown >= 0 ? `${Math.round(grown / seconds)}/s` : '-';
  };
  return `in ${rate('packetsReceived')}, out ${rate('packetsSent')}; ${totals}`;
}

function lansOf({ lans, settings }: Status): Line[] {
  const rows = align(lans.map((lan) => lanRow(lan, settings)));
  return lans.map(({ state, moved, drained, muted }, at) =>
    line(rows[at] ?? '', state === 'down' ? 'bad' : moved || drained || muted ? 'moved' : 'plain'),
  );
}

/** Whose path is down comes first, then whose traffic is moved; then by name, as they come. */
function pathsOf({ peers }: Status): Line[] {
  const ordered = [...peers].sort((a, b) => trouble(b) - trouble(a));
  const paths = ordered.flatMap((peer) =>
    peer.paths.map((path, at) => ({
      path,
      row: [at === 0 ? nameOf(peer) : '', ...pathRow(path)] as Row,
    })),
  );
  const rows = align(paths.map(({ row }) => row));
  return paths.map(({ path }, at) =>
    line(rows[at] ?? '', path.state === 'down' ? 'bad' : path.via === null ? 'plain' : 'moved'),
  );
}

function trouble({ paths }: StatusPeer): number {
  const down = paths.filter(({ state }) => state === 'down').length;
  const moved = paths.some(({ via }) => via !== null);
  return down * 2 + Number(moved);
}

function eventLine(event: FaildEvent): Line {
  const { level, message } = describe(event);
  return line(`${event.at.slice(11, 19)}  ${message}`, level === 'info' ? 'dim' : 'moved');
}

function line(text: string, tone: Tone = 'plain'): Line {
  return { text, tone };
}

/** Names come from other hosts: nothing that a terminal obeys may be in them. */
function fit({ text, tone }: Line, columns: number): Line {
  const safe = [...text].map((char) => (/[\p{C}\p{Zl}\p{Zp}]/u.test(char) ? '?' : char));
  const clipped = safe.length > columns ? [...safe.slice(0, Math.max(0, columns - 1)), '>'] : safe;
  return { text: clipped.slice(0, columns).join(''), tone };
}

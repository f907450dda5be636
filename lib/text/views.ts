// `faild peers`, `faild paths` and `faild events` for people: one line each, aligned. Pure; used by
// verbs.ts.

import { align } from '../base/text-table.js';
import { showDuration } from '../base/units.js';
import type { FaildEvent } from '../cluster/events.js';
import type { PathsView, PathView, PeerSummary, PeersView } from '../cluster/views.js';
import { describe } from '../journal/log-lines.js';
import { ageLine, engineLine, pathRow } from './status.js';

export function renderPeers(view: PeersView): string {
  const rows = view.peers.map((peer) => [
    peer.name,
    peer.state,
    `${peer.paths.up} of ${Object.values(peer.paths).reduce((sum, count) => sum + count)} paths up`,
    peer.lastHeardUs === null ? 'never heard' : `${showDuration(peer.lastHeardUs)} ago`,
    remarksOn(peer),
  ]);
  return page(view, rows.length === 0 ? ['no peer heard yet'] : align(rows));
}

export function renderPaths(view: PathsView): string {
  const rows = view.paths.map((path) => [path.peer.name, ...pathRow(path), qualityOf(path)]);
  return page(view, rows.length === 0 ? ['no path known yet'] : align(rows));
}

/** `--since` is about the past, so the day counts as well. */
export function renderEvent(event: FaildEvent): string {
  return `${event.at}  ${describe(event).message}\n`;
}

function page(view: PeersView | PathsView, lines: string[]): string {
  return [...engineLine(view), ...lines, '', ageLine(view), ''].join('\n');
}

function remarksOn({ moved, requestor, drained, id }: PeerSummary): string {
  return [
    requestor ? 'requestor' : 'responder',
    id,
    drained ? 'drained' : '',
    moved === 0 ? '' : `traffic of ${moved === 1 ? '1 LAN' : `${moved} LANs`} moved`,
  ]
    .filter(Boolean)
    .join(', ');
}

function qualityOf({ loss, failovers }: PathView): string {
  return [
    loss > 0 ? `loss ${(loss * 100).toFixed(1)} %` : '',
    failovers > 0 ? `${failovers} ${failovers === 1 ? 'failover' : 'failovers'}` : '',
  ]
    .filter(Boolean)
    .join(', ');
}

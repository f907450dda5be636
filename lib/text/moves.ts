// What came of `failover`, `switchback`, `drain` and `undrain`, in a sentence. Pure; used by verbs.ts
// and, for the log, by daemon.ts.
import type { HostDrainAnswer } from '../cluster/host-drain.js';
import type { MoveAnswer } from '../cluster/moves.js';
import { engineLine } from './status.js';

/** Names in a line end here. */
const maxListed = 5;

/** Nothing that was to leave is still there. What may return does so in its own time. */
export function wasDone({ action, lan, users }: MoveAnswer): boolean {
  if (action === 'drain') return users.length === 0;
  return action !== 'failover' || users.every((user) => user.lan !== lan);
}

export function renderMove(answer: MoveAnswer): string {
  return [...engineLine(answer), describeMove(answer), ''].join('\n');
}

/** One sentence, for the log as well. */
export function describeMove(answer: MoveAnswer): string {
  const { action, lan, peer, paths, away } = answer;
  const whose = peer === null ? `${paths} ${paths === 1 ? 'peer' : 'peers'}` : peer.name;
  switch (action) {
    case 'drain':
      return wasDone(answer)
        ? `LAN ${lan} is drained: no traffic of ours takes it, and its peers are told to leave it`
        : `LAN ${lan} is drained, but ${stays(answer)}`;
    case 'undrain':
      return `LAN ${lan} may be used again: traffic of ${whose} returns when both ends are ready`;
    case 'failover':
      return wasDone(answer)
        ? `moved: traffic of ${whose} on LAN ${lan} takes another LAN until 'faild switchback ${lan}'`
        : `${away} of ${paths} moved; ${stays(answer)}`;
    case 'switchback':
      return `traffic of ${whose} may return to LAN ${lan}; it does where the path is good`;
  }
}

export function renderHostDrain(answer: HostDrainAnswer): string {
  return [...engineLine(answer), describeHostDrain(answer), ''].join('\n');
}

/** One sentence, for the log as well. */
export function describeHostDrain({ action, peers, untold }: HostDrainAnswer): string {
  const drained = action === 'drain-host';
  const what = drained ? 'this host is drained' : 'this host is not drained any more';
  if (untold.length > 0) {
    const names = listed(untold.map(({ name }) => name));
    return `${what}, but ${names} did not acknowledge it${drained ? ': do not stop it yet' : ''}`;
  }
  if (peers === 0) return `${what}; no peer is up to hear of it`;
  const all = peers === 1 ? 'its peer has' : `all ${peers} peers have`;
  return `${what}, and ${all} acknowledged it${drained ? ': it may fall silent now' : ''}`;
}

function listed(names: readonly string[]): string {
  const more = names.length > maxListed ? ` and ${names.length - maxListed} more` : '';
  return `${names.slice(0, maxListed).join(', ')}${more}`;
}

function stays({ action, lan, users }: MoveAnswer): string {
  const left = users.filter((user) => action === 'drain' || user.lan === lan);
  const names = [...new Set(left.map(({ peer }) => peer.name))];
  return `nothing else reaches ${listed(names)}, whose traffic stays`;
}

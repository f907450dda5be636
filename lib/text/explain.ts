// `faild explain` for people: a paragraph a LAN, then what would happen. Pure; used by verbs.ts.

import { showDuration } from '../base/units.js';
import type { Choice, ExplainedPath, Explanation, Way } from '../cluster/explain.js';
import type { KernelLook, KernelRoute } from '../cluster/kernel-routes.js';
import type { StatusPath } from '../cluster/status.js';
import type { RecordedProbe } from '../engine/probes.js';
import { because, stoppedBecause, upReason } from '../journal/log-lines.js';
import { renderRecorded } from './probes.js';
import { ageLine, engineLine } from './status.js';

export interface Told extends Explanation {
  /** Null: this process could not look; `kernelWhy` says why. */
  kernel: KernelLook[] | null;
  kernelWhy: string | null;
}

/** Of each path, the last ones of each direction; `--json` has them all. */
const probesShown = 4;

export function renderExplanation(told: Told): string {
  const { peer, paths, ifDied, kernelWhy } = told;
  const role = `${peer.requestor ? 'requestor' : 'responder'}${peer.drained ? ', drained' : ''}`;
  return [
    ...engineLine(told),
    `${peer.name} (${peer.id})  ${role}, incarnation ${peer.incarnation}`,
    ...paths.flatMap((path) => ['', ...paragraph(path, told)]),
    ...(kernelWhy === null ? [] : ['', `kernel's routes not shown: ${kernelWhy}`]),
    '',
    ...ifDied.map(({ lan, ways }) => `If LAN ${lan} died now: ${outcome(ways, told)}`),
    '',
    ageLine(told),
    '',
  ].join('\n');
}

function paragraph(explained: ExplainedPath, told: Told): string[] {
  const { lan, path, takes, because } = explained;
  const flags = [
    lan.carrier ? '' : 'no carrier',
    lan.moved ? 'moved as a whole' : '',
    lan.drained ? 'drained' : '',
  ].filter(Boolean);
  const aside = flags.length === 0 ? '' : `  (the LAN: ${flags.join(', ')})`;
  const addresses = addressesOf(path.addresses);
  const looks = (told.kernel ?? []).filter(({ address }) => addresses.includes(address));
  return [
    `LAN ${lan.name} (${lan.interface})  ${addresses.join(' ') || 'no address known'}${aside}`,
    `  verdict  ${path.state} for ${showDuration(path.ageS * 1e6)}: ${verdictOf(path)}`,
    `  evidence ${evidenceOf(path, lan)}`,
    `  choice   traffic takes LAN ${takes}: ${choices[because]}`,
    ...looks.flatMap(kernelLines),
    ...headed('probes', probeLines(explained)),
  ];
}

function verdictOf(path: StatusPath): string {
  if (path.state === 'unknown') return 'not judged yet';
  if (path.state === 'stopped') return `it ${stoppedBecause(path.reason)}`;
  const { reason, lastHeardUs } = path;
  return path.state === 'up'
    ? upReason(reason)
    : because({ ...path, lastHeardUs: lastHeardUs ?? 0 });
}

function evidenceOf(path: StatusPath, { failAfter }: ExplainedPath['lan']): string {
  const heard =
    path.lastHeardUs === null
      ? 'never heard'
      : `heard ${showDuration(path.lastHeardUs)} ago, due every ${showDuration(path.intervalUs)}`;
  return [
    heard,
    `${path.missed} missed (down after ${failAfter})`,
    path.state === 'up' ? '' : `${path.good} of ${path.goodNeeded} good`,
    path.roundTripUs === null ? '' : `rtt ${showDuration(path.roundTripUs)}`,
    path.loss === 0 ? '' : `loss ${(path.loss * 100).toFixed(1)} %`,
    path.failovers === 0 ? '' : `${path.failovers} failovers so far`,
  ]
    .filter(Boolean)
    .join(', ');
}

/** What a verdict has kept is told by the time before it, however long ago that is. */
function probeLines({ probes, verdictAtUs }: ExplainedPath): string[] {
  const origin = verdictAtUs ?? 0;
  const told = newestOf(probes ?? []).map((probe) => ({ ...probe, atUs: probe.atUs - origin }));
  return [...(verdictAtUs === null ? [] : ['before the verdict:']), ...renderRecorded(told)];
}

/** On a path that is down, what was heard last is as telling as what was sent since. */
function newestOf(probes: readonly RecordedProbe[]): RecordedProbe[] {
  const told = (['sent', 'received'] as const).flatMap((wanted) =>
    probes.filter(({ direction }) => direction === wanted).slice(-probesShown),
  );
  return told.sort((a, b) => a.atUs - b.atUs);
}

function headed(name: string, lines: readonly string[]): string[] {
  return lines.map((line, at) => `  ${(at === 0 ? name : '').padEnd(9)}${line}`);
}

const choices: Record<Choice, string> = {
  own: 'its own, which works',
  down: 'its own is down',
  'lan-dead': 'its own LAN was judged dead, and the peer not heard there since',
  'by-hand': 'moved by hand; faild switchback lets it return',
  drained: 'its own LAN is drained; faild undrain lets it return',
  returning: 'its own is good again; policy or hold time keeps it here for now',
  'no-alternate': 'nothing else reaches this peer',
  waiting: 'it is about to return, or no other LAN was heard lately enough',
  'not-judged': 'its own is not judged, so nothing is changed',
};

function kernelLines({ address, takes, entries }: KernelLook): string[] {
  const now = takes === null ? 'no route' : showRoute(takes);
  return [
    `  kernel   ${address}: ${now}`,
    ...entries.map((entry) => `           table ${entry.table}: ${showRoute(entry)}`),
  ];
}

function showRoute({ device, gateway, source }: KernelRoute): string {
  const via = gateway === null ? '' : `via ${gateway} `;
  return `${via}dev ${device}${source === null ? '' : ` src ${source}`}`;
}

function outcome(ways: readonly Way[], { paths }: Told): string {
  const all = ways.map(({ lan, takes }) => {
    const now = paths.find(({ path }) => path.lan === lan)?.takes;
    if (takes === now) return `traffic of LAN ${lan} would stay on LAN ${takes}`;
    return takes === null
      ? `traffic of LAN ${lan} would be ISOLATED`
      : `traffic of LAN ${lan} would take LAN ${takes}`;
  });
  return all.join(', ');
}

/** Without prefix lengths; link-local ones are not routed. */
export function addressesOf(prefixes: readonly string[]): string[] {
  const plain = prefixes.map((prefix) => prefix.split('/')[0] ?? prefix);
  return plain.filter((address) => !/^fe[89ab]/i.test(address));
}

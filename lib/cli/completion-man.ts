// The man pages faild(8) and faild.yaml(5) as man(7) source: the one from the tree of commands, the
// other from the table of settings. scripts/generate.mjs writes them to packaging/man.

import {
  fallbackShown,
  fileKey,
  type Setting,
  settings,
  usualConfigFile,
} from '../config/settings.js';
import type { ArgumentNode, CommandNode, FlagNode } from './completion-tree.js';

export type Page = 'faild.8' | 'faild.yaml.5';

export function manPage(page: Page, tree: CommandNode, version: string): string {
  const lines = page === 'faild.8' ? daemonPage(tree) : filePage();
  const [name = '', section = ''] = [page.slice(0, -2), page.slice(-1)];
  // No date: the page is the same whenever it is made.
  const head = `.TH ${name.toUpperCase()} ${section} "" "faild ${version}" "faild manual"`;
  const note = `.\\" Made by scripts/generate.mjs; edit lib/ instead.`;
  return `${[note, head, ...wrapped(lines)].join('\n')}\n`;
}

/** Text in lines that fit a page; requests, and what is not to be filled, as they are. */
function wrapped(lines: readonly string[]): string[] {
  let filled = true;
  return lines.flatMap((line) => {
    if (/^\.(nf|fi)$/.test(line)) filled = line === '.fi';
    if (!filled || line.startsWith('.')) return [line];
    const parts = line.match(/.{1,78}(?= |$)/g) ?? [];
    return parts.map((part) => part.trim().replace(/^([.'])/, '\\&$1'));
  });
}

function daemonPage(tree: CommandNode): string[] {
  return [
    '.SH NAME',
    'faild \\- keeps the hosts of a cluster talking when one of their redundant LANs dies',
    '.SH SYNOPSIS',
    '.B faild',
    '.RI [ options ]',
    ...tree.commands.flatMap((command) => ['.br', ...synopsisOf(command)]),
    '.SH DESCRIPTION',
    'Without a command it is the daemon. On each host it tells by small broadcasts on every LAN which',
    'peers can be reached by which LAN, notices within a few intervals that a path is dead in either',
    "direction, and changes its own kernel's routes so that traffic takes another LAN. When the path has",
    'proven itself again, traffic returns. The commands ask a running daemon, or tell it to act.',
    '.SH OPTIONS',
    'Whatever a flag says can be in the configuration file as well (see',
    '.BR faild.yaml (5));',
    'flags win over it.',
    ...tree.flags.flatMap(flagEntry),
    '.SH COMMANDS',
    ...tree.commands.flatMap(commandSection),
    ...restOfDaemonPage(tree),
  ];
}

function restOfDaemonPage(tree: CommandNode): string[] {
  return [
    '.SH EXIT STATUS',
    ...term('.B 0', ['Done, and all is well.']),
    ...term('.B 1', ['Something is down, or could not be done.']),
    ...term('.B 2', ['Bad usage or configuration; no such LAN or peer.']),
    ...term('.B 3', ['No daemon answers.']),
    ...term('.B 4', [
      "A daemon answers, but its engine's thread does not; of the daemon itself: it was told to stop, but that thread hung.",
    ]),
    '.SH SIGNALS',
    ...term('.B SIGTERM, SIGINT', [
      'Stop: say goodbye to the peers and remove what carries no traffic. Failovers in force stay.',
    ]),
    ...term('.B SIGHUP', ['Open the log file anew and read the configuration again.']),
    '.SH FILES',
    ...term(`.I ${usualConfigFile}`, ['The configuration, if there is one.']),
    ...term('.I /run/faild/faild.sock', ['Who may open it may look: HTTP over a Unix socket.']),
    ...term('.I /run/faild/faild.sock.admin', ['Who may open it may act.']),
    ...term('.I /var/lib/faild', ['The host id, what is drained, and the history.']),
    '.SH EXAMPLES',
    ...literal(tree.notes.replace(/^Examples:\n/, '')),
    '.SH SEE ALSO',
    '.BR faild.yaml (5),',
    '.BR ip\\-rule (8),',
    '.BR ip\\-route (8),',
    '.BR systemctl (1)',
  ];
}

function synopsisOf({ name, args }: CommandNode): string[] {
  const places = args.map(placeholder).join(' ');
  return [`.B faild ${roff(name)}`, ...(places === '' ? [] : [places])];
}

function placeholder({ name, required }: ArgumentNode): string {
  return required ? `\\fI${roff(name)}\\fR` : `[\\fI${roff(name)}\\fR]`;
}

function commandSection(command: CommandNode): string[] {
  const { name, help, args, flags, notes } = command;
  return [
    `.SS ${[roff(name), ...args.map(placeholder)].join(' ')}`,
    sentence(help),
    ...args.flatMap((each) => term(`.I ${roff(each.name)}`, [sentence(each.help)])),
    ...flags.filter(({ long }) => long !== '--help').flatMap(flagEntry),
    ...(notes === '' ? [] : ['.PP', ...literal(notes)]),
  ];
}

function flagEntry({ short, long, value, help }: FlagNode): string[] {
  const names = [short, long].filter((name) => name !== undefined).map(roff);
  const argument = value === undefined ? '' : ` \\fI${roff(value)}\\fR`;
  return term(`\\fB${names.join('\\fR, \\fB')}\\fR${argument}`, [sentence(help)]);
}

function filePage(): string[] {
  return [
    '.SH NAME',
    'faild.yaml \\- configuration of faild',
    '.SH DESCRIPTION',
    `.I ${usualConfigFile}`,
    'is YAML; every key may be left out. The file is strict: durations carry a unit (us, ms, s, min, h),',
    'an unknown key is a fault, and so is an alias or a tag.',
    '.B faild check',
    'tells every fault with its line and column, or what would be in force;',
    '.B faild reload',
    'applies what can be applied in place and names what needs a restart.',
    '.SH KEYS',
    ...settings.flatMap(keyEntry),
    '.SH EXAMPLE',
    ...literal('role: requestor\ninterval: 10ms\nlans:\n  - name: A\n    subnet: 10.1.0.0/24'),
    '.SH SEE ALSO',
    '.BR faild (8)',
  ];
}

function keyEntry(setting: Setting): string[] {
  const key = fileKey(setting);
  if (key === null) return [];
  const { inFile, accepts } = setting.kind;
  const takes =
    'fields' in inFile
      ? `A list of entries with ${Object.keys(inFile.fields).join(', ')}; ${inFile.required} is needed.`
      : `${setting.repeatable ? 'A list; each' : 'It'} is ${inFile.accepts ?? accepts}.`;
  const when = setting.live ? 'A reload applies it.' : 'It needs a restart.';
  const lines = [
    sentence(setting.help),
    roff(takes),
    `Default: ${roff(fallbackShown(setting))}.`,
    when,
  ];
  return term(`.B ${roff(key)}`, lines);
}

function term(tag: string, lines: readonly string[]): string[] {
  return ['.TP', tag, ...lines];
}

/** As it stands, without filling. */
function literal(text: string): string[] {
  return ['.nf', ...text.split('\n').map(roff), '.fi'];
}

function sentence(text: string): string {
  const whole = /[.?!]$/.test(text) ? text : `${text}.`;
  return roff(`${whole.charAt(0).toUpperCase()}${whole.slice(1)}`);
}

/** Nothing of it is roff's: no request, no escape, and a hyphen is what a shell takes. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');
}

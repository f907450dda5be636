// Completions for bash, zsh and fish, written from the tree of commands. Names of peers and LANs
// are asked of the daemon when they are wanted (`faild completion peers`).
import {
  type ArgumentNode,
  type CommandNode,
  type FlagNode,
  flagNames,
  type Guess,
  guessValue,
} from './completion-tree.js';

export type Shell = 'bash' | 'zsh' | 'fish';
/** The words that a flag takes, by its long name. */
export type Words = ReadonlyMap<string, readonly string[]>;

export function completionFor(shell: Shell, tree: CommandNode, words: Words): string {
  const makers = { bash: forBash, zsh: forZsh, fish: forFish };
  return `${makers[shell](tree, words).join('\n')}\n`;
}

/** What the daemon knows the names of. */
function listOf({ name }: ArgumentNode): 'peers' | 'lans' | undefined {
  if (name === 'peer') return 'peers';
  return name === 'lan' ? 'lans' : undefined;
}

function forBash(tree: CommandNode, words: Words): string[] {
  const every = [tree, ...tree.commands];
  const names = tree.commands.map(({ name }) => name);
  return [
    '# bash completion for faild; made by `faild completion bash`',
    '_faild() {',
    `  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}`,
    "  local command='' position=0 skip='' word flags='' args=''",
    `  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do`,
    "    if [[ -n $skip ]]; then skip=''; continue; fi",
    '    case $command/$word in',
    // The same letter may be a switch of one command and take a value at another.
    ...every.map(({ name, flags }) => `      ${takingValues(name, flags)}) skip=1 ;;`),
    '      */-*) ;;',
    '      *) if [[ -z $command ]]; then command=$word; else position=$((position + 1)); fi ;;',
    '    esac',
    '  done',
    '  case $command in',
    ...every.map(({ name, flags, args }) => bashCase(name, flags, args)),
    '  esac',
    '  if [[ -n $skip ]]; then',
    '    case $prev in',
    ...bashValues(
      every.flatMap(({ flags }) => flags),
      words,
    ),
    '    esac',
    '    return',
    '  fi',
    '  if [[ $cur == -* ]]; then',
    '    COMPREPLY=($(compgen -W "$flags" -- "$cur"))',
    '  elif [[ -z $command ]]; then',
    `    COMPREPLY=($(compgen -W '${names.join(' ')}' -- "$cur"))`,
    '  else',
    '    set -- $args',
    `    word=\${@:position + 1:1}`,
    '    case $word in',
    '      peers | lans) COMPREPLY=($(compgen -W "$(faild completion "$word" 2>/dev/null)" -- "$cur")) ;;',
    `      *,*) COMPREPLY=($(compgen -W "\${word//,/ }" -- "$cur")) ;;`,
    '    esac',
    '  fi',
    '}',
    'complete -F _faild faild',
  ];
}

function takingValues(command: string, flags: readonly FlagNode[]): string {
  const names = flags.filter(({ value }) => value !== undefined).flatMap(flagNames);
  return names.map((name) => `${command}/${name}`).join(' | ');
}

function patternOf(flags: readonly FlagNode[]): string {
  return [...new Set(flags.flatMap(flagNames))].join(' | ');
}

function bashCase(name: string, flags: FlagNode[], args: ArgumentNode[]): string {
  const kinds = args.map((each) => listOf(each) ?? (choicesOf(each).join(',') || '-'));
  const said = flags.flatMap(flagNames).join(' ');
  return `    ${name === '' ? "''" : name}) flags='${said}' args='${kinds.join(' ')}' ;;`;
}

/** `bash, zsh or fish` in an argument's help. */
function choicesOf({ help }: ArgumentNode): string[] {
  const [, list] = /^one of ([\w, -]+)$/.exec(help) ?? [];
  return list?.split(', ') ?? [];
}

function bashValues(flags: readonly FlagNode[], words: Words): string[] {
  const lines = new Map<string, string>();
  for (const flag of flags) {
    const guess = guessValue(flag, words);
    if (flag.value === undefined || guess === 'nothing') continue;
    lines.set(flag.long, `      ${patternOf([flag])}) ${bashReply(guess)} ;;`);
  }
  return [...lines.values()];
}

function bashReply(guess: Guess): string {
  if (guess === 'file') return 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur"))';
  return `COMPREPLY=($(compgen -W '${[...guess].join(' ')}' -- "$cur"))`;
}

function forZsh(tree: CommandNode, words: Words): string[] {
  return [
    '#compdef faild',
    '# zsh completion for faild; made by `faild completion zsh`',
    `_faild_names() { compadd -- \${(f)"$(faild completion $1 2>/dev/null)"} }`,
    '_faild() {',
    '  local curcontext=$curcontext state line',
    '  local -a commands',
    '  commands=(',
    ...tree.commands.map(({ name, help }) => `    ${quote(`${name}:${help}`)}`),
    '  )',
    '  _arguments -C \\',
    ...tree.flags.flatMap((flag) => zshFlag(flag, words)).map((spec) => `    ${spec} \\`),
    "    '1: :->command' '*:: :->rest'",
    '  case $state in',
    '    command) _describe command commands ;;',
    '    rest)',
    '      case $words[1] in',
    ...tree.commands.flatMap((command) => zshCommand(command, words)),
    '      esac ;;',
    '  esac',
    '}',
    'if [[ $funcstack[1] == _faild ]]; then _faild "$@"; else compdef _faild faild; fi',
  ];
}

function zshCommand({ name, flags, args }: CommandNode, words: Words): string[] {
  const places = args.map((each, at) => {
    const list = listOf(each);
    const choices = choicesOf(each);
    const action = list ? `_faild_names ${list}` : choices.length ? `(${choices.join(' ')})` : ' ';
    return quote(`${at + 1}:${each.name}:${action}`);
  });
  const specs = [...flags.flatMap((flag) => zshFlag(flag, words)), ...places];
  return [`        ${name}) _arguments ${specs.join(' ')} ;;`];
}

function zshFlag(flag: FlagNode, words: Words): string[] {
  const help = flag.help.replace(/[[\]\\:]/g, '\\$&');
  const guess = guessValue(flag, words);
  const action = guess === 'file' ? '_files' : guess === 'nothing' ? ' ' : `(${guess.join(' ')})`;
  const value = flag.value === undefined ? '' : `:${flag.value.replaceAll(':', '\\:')}:${action}`;
  return flagNames(flag).map((name) => quote(`*${name}[${help}]${value}`));
}

function forFish(tree: CommandNode, words: Words): string[] {
  const names = tree.commands.map(({ name }) => name).join(' ');
  return [
    '# fish completion for faild; made by `faild completion fish`',
    'complete -c faild -f',
    `set -l commands ${names}`,
    ...tree.flags.map((flag) => fishFlag(flag, 'not __fish_seen_subcommand_from $commands', words)),
    ...tree.commands.flatMap(({ name, help, flags, args }) => [
      `complete -c faild -n "not __fish_seen_subcommand_from $commands" -a ${name} -d ${quote(help)}`,
      ...flags.map((flag) => fishFlag(flag, `__fish_seen_subcommand_from ${name}`, words)),
      ...args.flatMap((each) => fishArgument(name, each)),
    ]),
  ];
}

function fishFlag(flag: FlagNode, when: string, words: Words): string {
  const guess = guessValue(flag, words);
  const short = flag.short === undefined ? '' : ` -s ${flag.short.slice(1)}`;
  const takes = flag.value === undefined ? '' : guess === 'file' ? ' -r -F' : ' -x';
  const list = typeof guess === 'string' ? '' : ` -a ${quote(guess.join(' '))}`;
  return `complete -c faild -n "${when}"${short} -l ${flag.long.slice(2)}${takes}${list} -d ${quote(flag.help)}`;
}

function fishArgument(command: string, argument: ArgumentNode): string[] {
  const list = listOf(argument);
  const words = list ? `(faild completion ${list} 2>/dev/null)` : choicesOf(argument).join(' ');
  if (words === '') return [];
  return [`complete -c faild -n "__fish_seen_subcommand_from ${command}" -a ${quote(words)}`];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

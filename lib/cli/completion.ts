// `faild completion bash|zsh|fish`: what a shell needs to complete faild's command line, made from
// the command line itself. Also the names that it completes with, and the man pages, which
// scripts/generate.mjs writes. Added by cli.ts.
import type { Command } from 'commander';
import { FaildError } from '../base/errors.js';
import { version } from '../base/version.js';
import type { DaemonOptions } from '../config/config.js';
import { settings } from '../config/settings.js';
import type { Shell, Words } from './completion-shells.js';
import { type Add, type Glance, printJson } from './options.js';

const shells = ['bash', 'zsh', 'fish'] as const;
const lists = ['peers', 'lans'] as const;
const pages = ['faild.8', 'faild.yaml.5'] as const;

const notes = `
Exit status: 0 printed, 2 no such shell.

Installed as
  bash  /usr/share/bash-completion/completions/faild
  zsh   /usr/share/zsh/vendor-completions/_faild
  fish  /usr/share/fish/vendor_completions.d/faild.fish

Examples:
  source <(faild completion bash)                            for this shell alone
  faild completion zsh | sudo tee /usr/share/zsh/vendor-completions/_faild`;

export function addCompletion(program: Command, add: Add, glance: Glance): void {
  add('completion', 'print the completion of this command line for a shell')
    .argument('<shell>', `one of ${shells.join(', ')}`)
    .option('--json', 'the same text in a JSON document')
    .addHelpText('after', notes)
    .action(async (what: string, { json, ...options }: DaemonOptions & { json?: true }) => {
      const text = await answer(what, program, () => glance(options));
      const report: CompletionReport = { schema: 'faild.completion/1', text };
      if (json) printJson(report);
      else process.stdout.write(text);
    });
}

/** What `completion --json` prints. */
export interface CompletionReport {
  schema: 'faild.completion/1';
  /** What is printed without `--json`. */
  text: string;
}

async function answer(
  what: string,
  program: Command,
  glance: () => Promise<{ socket: string }>,
): Promise<string> {
  const shell = shells.find((name) => name === what);
  if (shell !== undefined) return await shellText(shell, program);
  const page = pages.find((name) => name === what);
  if (page !== undefined) {
    const { manPage } = await import('./completion-man.js');
    const { treeOf } = await import('./completion-tree.js');
    return manPage(page, treeOf(program), version);
  }
  const list = lists.find((name) => name === what);
  if (list !== undefined) return await namesOf(list, (await glance()).socket);
  const line = `completion: '${what}' is not accepted; give ${shells.join(', ')}`;
  throw new FaildError('EINVAL', line, { exitStatus: 2 });
}

async function shellText(shell: Shell, program: Command): Promise<string> {
  const { completionFor } = await import('./completion-shells.js');
  const { treeOf } = await import('./completion-tree.js');
  const words: Words = new Map(
    settings.flatMap(({ long, kind: { inFile } }) => {
      const list = 'schema' in inFile ? inFile.schema.enum : undefined;
      return Array.isArray(list) ? [[long, list as string[]] as const] : [];
    }),
  );
  return completionFor(shell, treeOf(program), words);
}

async function namesOf(list: (typeof lists)[number], socket: string): Promise<string> {
  const { fetchStatus } = await import('../control/client.js');
  return (await fetchStatus(socket))[list].map(({ name }) => `${name}\n`).join('');
}

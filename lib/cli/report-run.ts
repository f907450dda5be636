// Writes the report of report.ts as one archive, whole or not at all, for its owner alone. Added to
// the command line by cli.ts.
import { execFile } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from 'commander';

import { wallMs } from '../base/clock.js';
import { codeOf, FaildError, messageOf } from '../base/errors.js';
import type { DaemonOptions } from '../config/config.js';
import { type Add, type Glance, printJson } from './options.js';
import type { Piece } from './report.js';

const help = `
Exit status: 0 the archive is written, whatever could not be had; 1 it is not, 2 bad usage.

Examples:
  sudo faild report                            faild-report-HOST-DATE.tar.gz in this directory
  sudo faild report --output /tmp/r.tar.gz
  tar -xzOf r.tar.gz --wildcards '*/CONTENTS'  what is in it, and what is not`;

export function addReport(add: Add, glance: Glance): void {
  add('report', 'pack what a bug report needs into one archive, secrets left out')
    .option('--output <file>', 'the archive (default: named by host and date, in this directory)')
    .option('--json', 'what is in it, and what could not be had, as one JSON document')
    .addHelpText('after', help)
    .action(async (_options, command: Command) => {
      const { output, json, ...flags } = command.optsWithGlobals<Flags>();
      const { gatherReport } = await import('./report.js');
      const pieces = await gatherReport(flags, (await glance(flags)).socket);
      const file = output ?? `faild-report-${hostname()}-${stamp()}.tar.gz`;
      await writeArchive(file, pieces);
      if (json) printJson(contentsOf(file, pieces));
      else process.stdout.write(told(file, pieces));
    });
}

type Flags = DaemonOptions & { output?: string; json?: true };

/** What `report --json` prints. */
export interface ReportContents {
  schema: 'faild.report/1';
  /** The archive. */
  file: string;
  /** `missing`: why it is not in it; null: it is. */
  pieces: { name: string; what: string; missing: string | null }[];
}

function contentsOf(file: string, pieces: readonly Piece[]): ReportContents {
  const names = pieces.map(({ name, what, missing }) => ({ name, what, missing }));
  return { schema: 'faild.report/1', file, pieces: names };
}

/** `20260131-235959`, UTC. */
function stamp(): string {
  return new Date(wallMs())
    .toISOString()
    .replace(/[-:]|\..*/g, '')
    .replace('T', '-');
}

function told(file: string, pieces: readonly Piece[]): string {
  const missing = pieces.filter((piece) => piece.missing !== null);
  const lines = missing.map(({ name, missing: why }) => `not in it: ${name}: ${why}`);
  return [...lines, `${file} written: ${pieces.length - missing.length} files`, ''].join('\n');
}

/** Exported for its test. */
export async function writeArchive(file: string, pieces: readonly Piece[]): Promise<void> {
  const staging = mkdtempSync(join(tmpdir(), 'faild-report-')); // 0700
  const unfinished = join(dirname(file), `.${basename(file)}.${process.pid}`);
  try {
    const name = basename(file).replace(/(\.tar)?\.t?gz$/, '') || 'faild-report';
    for (const piece of pieces) {
      if (piece.missing !== null) continue;
      const path = join(staging, name, piece.name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, piece.text);
    }
    closeSync(openSync(unfinished, 'wx', 0o600)); // tar keeps the mode of what is there
    await promisify(execFile)('tar', ['-czf', unfinished, '-C', staging, '--', name]);
    renameSync(unfinished, file);
  } catch (error) {
    rmSync(unfinished, { force: true });
    const line = `report: cannot write ${file}: ${messageOf(error)}`;
    throw new FaildError(codeOf(error) ?? 'EREPORT', line, { cause: error });
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

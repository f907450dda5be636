// The commands that look at this host or clean it, whether a daemon runs or not: check, doctor,
// cleanup. Added to the command line by cli.ts; what they need is loaded when one runs.
import type { Command } from 'commander';
import { ConfigFaults, FaildError } from '../base/errors.js';
import type { DaemonOptions } from '../config/config.js';
import { type Add, type Glance, optionOf, printJson, settingOf } from './options.js';

const checkHelp = `
Exit status: 0 the configuration is right, 1 it is, but faild would not start with it on this
machine, 2 it has faults, each told with its line and column.

Examples:
  faild check                      /etc/faild/faild.yaml, or flags and defaults without one
  faild --config new.yaml check    flags of the daemon go before the command
  faild check --json | jq -r '.settings[] | select(.source != "default")'`;

const doctorHelp = `
Exit status: 0 nothing worse than advice, 1 a fault or a warning, 2 bad usage or configuration.

Examples:
  sudo faild doctor                                             look, before and after the rollout
  sudo faild doctor --fix-file /etc/sysctl.d/60-faild.conf      and mend what a sysctl can`;

const cleanupHelp = `
Exit status: 0 nothing of faild's is in the kernel any more, 1 some of it is, or a daemon runs,
2 bad usage.

Examples:
  sudo systemctl stop faild && sudo faild cleanup`;

export function addHere(add: Add, glance: Glance): void {
  add('check', 'look at the configuration: what would be in force, is it wise?')
    .option('--json', 'settings, LANs, warnings and faults as one JSON document')
    .addHelpText('after', checkHelp)
    .action((_options, command: Command) => showCheck(command.optsWithGlobals()));
  add('doctor', 'look at this host: what would keep faild from its job?')
    .option('--json', 'findings as one JSON document')
    .option('--fix-file <path>', 'write the sysctls that mend what was found to this file')
    .addHelpText('after', doctorHelp)
    .action((_options, command: Command) => showDiagnosis(command.optsWithGlobals()));
  add('cleanup', "remove all of faild's routes and rules from the kernel")
    .addOption(optionOf(settingOf('networkNamespace')))
    .option('--force', 'even while a daemon runs')
    .option('--json', 'how many entries there were as JSON')
    .addHelpText('after', cleanupHelp)
    .action((_options, command: Command) => cleanUp(command.optsWithGlobals(), glance));
}

type Shown = DaemonOptions & { json?: true };

async function showCheck({ json, ...options }: Shown): Promise<void> {
  const { check, renderCheck } = await import('../doctor/check.js');
  const report = await check(options);
  const { faults, ready } = report;
  if (json) printJson(report);
  else if (faults.length > 0) throw new ConfigFaults(faults);
  else process.stdout.write(renderCheck(report));
  process.exitCode = faults.length > 0 ? 2 : Number(!ready);
}

async function showDiagnosis({
  json,
  fixFile,
  ...options
}: Shown & { fixFile?: string }): Promise<void> {
  const { diagnose, renderDiagnosis, writeFix } = await import('../doctor/doctor.js');
  const diagnosis = await diagnose(options);
  const written = fixFile === undefined ? '' : `${writeFix(fixFile, diagnosis.findings)}\n`;
  if (json) {
    process.stderr.write(written);
    printJson(diagnosis);
  } else {
    process.stdout.write(renderDiagnosis(diagnosis) + written);
  }
  process.exitCode = diagnosis.healthy ? 0 : 1;
}

/** What `cleanup --json` prints. */
export interface CleanupReport {
  schema: 'faild.cleanup/1';
  /** Routes and rules that were removed. */
  removed: number;
}

async function cleanUp(
  { force, json, ...options }: Shown & { force?: true },
  glance: Glance,
): Promise<void> {
  const { socket, networkNamespace } = await glance(options);
  const { isAnswered } = await import('../control/client.js');
  if (!force && (await isAnswered(socket))) {
    const line =
      `a daemon runs on ${socket} and would put its routes back: stop it first, or ` +
      `use --force`;
    throw new FaildError('EBUSY', line);
  }
  const { cleanup } = await import('../cluster/faild.js');
  const removed = cleanup(networkNamespace);
  const report: CleanupReport = { schema: 'faild.cleanup/1', removed };
  if (json) printJson(report);
  else process.stdout.write(`removed ${removed} ${removed === 1 ? 'entry' : 'entries'}\n`);
}

#!/usr/bin/env node
// The command line. Thin: flags come from settings.ts, checks from config.ts and config-file.ts,
// work from daemon.ts and control/client.ts, each loaded only when it is needed, so that
// `faild --version` is as quick as node itself.
//
// Exit status: 0 done, 1 failed (for `status`: a path is down; for `check`: right, but faild would
// not start here; for `doctor`: a fault or a warning), 2 bad usage or configuration, 3 no daemon
// answers, 4 its engine's thread does not (of the daemon: it hung when it was told to stop).
import './base/modest.js';
import { Command, CommanderError, Option } from 'commander';
import { ConfigFaults, codeOf, FaildError, messageOf, showFault } from './base/errors.js';
import { version } from './base/version.js';
import type { BenchFlags } from './bench/run.js';
import { addCompletion } from './cli/completion.js';
import { addHere } from './cli/here.js';
import { addTo, optionOf, settingOf } from './cli/options.js';
import { addReport } from './cli/report-run.js';
import { addTop } from './cli/top-run.js';
import { addVerbs } from './cli/verbs.js';
import { type DaemonConfig, type DaemonOptions, parseConfig } from './config/config.js';
import { settings } from './config/settings.js';

const examples = `
Examples:
  sudo faild -r                            on each host: find the LANs and the peers, and watch them
  sudo faild -r -t 0.001 -f 3              notice a dead path within about 3 ms
  sudo faild -r --lan A=eth1 --lan B=eth2  name the LANs, the preferred first
  faild check && sudo faild reload         look at /etc/faild/faild.yaml, then apply it in place
  faild status                             what is up, what is down, what has moved`;

function makeProgram(): Command {
  const program = new Command('faild')
    .description('Keeps the hosts of a cluster talking when one of their redundant LANs dies.')
    .usage('[-r] [-t n] [-f n] [-s n] [-p n] [-l path] [options] | faild <command>')
    .version(version, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this')
    .enablePositionalOptions()
    .allowExcessArguments()
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .addHelpText('after', examples)
    .action(runFaild);
  for (const setting of settings) program.addOption(optionOf(setting));
  program.addOption(new Option('--no-requestor', 'only answer, whatever the file says'));
  const add = addTo(program);
  addVerbs(add, glance);
  addHere(add, glance);
  add('bench', 'measure the LANs to a peer and this machine; disturbs nobody')
    .argument('[peer]', 'its name or host id, as `faild status` shows it')
    .addOption(optionOf(settingOf('networkNamespace')))
    .option('--seconds <n>', 'how long to measure (default: 10)')
    .option('--cut <lan>', 'cut this LAN instead, for heartbeats alone: traffic really moves')
    .option('--count <n>', 'cuts in each direction (default: 5)')
    .option('--yes', 'do not ask before the first cut')
    .option('--json', 'the whole report instead of the table')
    .option('--html <file>', 'write the report with its plots to this file as well')
    .addHelpText('after', benchHelp)
    .action((peer: string | undefined, _options, command: Command) =>
      showBench(peer, command.optsWithGlobals()),
    );
  addTop(add, glance);
  addReport(add, glance);
  addCompletion(program, add, glance);
  return program;
}

const benchHelp = `
Exit status: 0 measured, 1 it was not, or not wholly, 2 bad usage or no such name, 3 no daemon
answers, 130 interrupted.

Examples:
  sudo faild bench host2                       what the LANs to host2 and this machine are good for
  sudo faild bench --cut A                     how fast both ends notice that LAN A is dead
  sudo faild bench --cut A host2 --yes --json`;

async function runFaild(options: DaemonOptions, command: Command): Promise<void> {
  const [stray] = command.args;
  if (stray !== undefined) throw unknownCommand(stray, command);
  const { runDaemon } = await import('./daemon/daemon.js');
  await runDaemon(options);
}

function unknownCommand(stray: string, program: Command): FaildError {
  const names = program.commands.map((command) => command.name()).join(', ');
  const line = `unknown command '${stray}'; there are ${names}; faild alone runs the daemon`;
  return new FaildError('EINVAL', line, { exitStatus: 2 });
}

/** What a command needs to find the daemon; the file's faults are for `check`. */
async function glance(options: DaemonOptions): Promise<DaemonConfig> {
  const { glanceOptions } = await import('./config/config-file.js');
  return parseConfig(glanceOptions(options));
}

type BenchOptions = DaemonOptions & BenchFlags;

async function showBench(peer: string | undefined, given: BenchOptions): Promise<void> {
  const { json, html, seconds, cut, count, yes, ...options } = given;
  const { runBench } = await import('./bench/run.js');
  const flags = { peer, json, html, seconds, cut, count, yes };
  process.exitCode = await runBench(flags, await glance(options));
}

/** Commander's errors in our shape: one line that says what is accepted. */
function usageLine(error: CommanderError): string {
  const line = error.message.replace(/^error: /, '').replace(/\n\(D(.*)\)$/s, '; d$1');
  if (error.code === 'commander.optionMissingArgument') {
    const setting = settings.find(({ long }) => line.includes(`${long} `));
    if (setting !== undefined) return `${line}; give ${setting.kind.accepts}`;
  }
  return line.includes('; ') ? line : `${line}; see faild --help`;
}

async function main(): Promise<void> {
  // `faild events | head`: the reader has gone, and that is all.
  process.stdout.on('error', (error) => process.exit(codeOf(error) === 'EPIPE' ? 0 : 1));
  try {
    await makeProgram().parseAsync();
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    process.stderr.write(complaint(error));
    process.exitCode = error instanceof CommanderError ? 2 : exitStatusOf(error);
  }
}

/** One line; of a configuration, one for each fault, those of the file as compilers say them. */
function complaint(error: unknown): string {
  if (error instanceof CommanderError) return `faild: ${usageLine(error)}\n`;
  if (!(error instanceof ConfigFaults)) return `faild: ${messageOf(error)}\n`;
  const lines = error.faults.map((fault) =>
    fault.place === null ? `faild: ${fault.message}` : showFault(fault),
  );
  return `${lines.join('\n')}\n`;
}

function exitStatusOf(error: unknown): number {
  return error instanceof FaildError ? error.exitStatus : 1;
}

await main();

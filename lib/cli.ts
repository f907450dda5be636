#!/usr/bin/env node
// The command line. Thin: flags come from settings.ts, checks from config.ts and config-file.ts,
// work from daemon.ts and control/client.ts, each loaded only when it is needed, so that
// `faild --version` is as quick as node itself.
//
// Exit status: 0 done, 1 failed (for `status`: a path is down; for `check`: right, but faild would
// not start here; for `doctor`: a fault or a warning), 2 bad usage or configuration, 3 no daemon
// answers, 4 its engine's thread does not.
import { Command, CommanderError, Option } from 'commander';
import { ConfigFaults, codeOf, FaildError, messageOf, showFault } from './base/errors.js';
import { version } from './base/version.js';
import type { BenchFlags } from './bench/run.js';
import { addCompletion } from './cli/completion.js';
import { addReport } from './cli/report-run.js';
import { addTop } from './cli/top-run.js';
import { addVerbs } from './cli/verbs.js';
import { type DaemonConfig, type DaemonOptions, parseConfig } from './config/config.js';
import { type Setting, settings } from './config/settings.js';

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
  addCommand(program, 'status', 'show LANs, peers and paths; exit status 1 if a path is down')
    .option('--json', 'the whole status document instead of the table')
    .action((_options, command: Command) => showStatus(command.optsWithGlobals()));
  addVerbs((name, description) => addCommand(program, name, description), glance);
  addCommand(program, 'check', 'look at the configuration: what would be in force, is it wise?')
    .addHelpText('after', checkHelp)
    .action((_options, command: Command) => showCheck(command.optsWithGlobals()));
  addCommand(program, 'reload', 'let the running daemon read its configuration again').action(
    (_options, command: Command) => showReload(command.optsWithGlobals()),
  );
  addCommand(program, 'doctor', 'look at this host: what would keep faild from its job?')
    .option('--json', 'findings as one JSON document')
    .option('--fix-file <path>', 'write the sysctls that mend what was found to this file')
    .addHelpText('after', doctorHelp)
    .action((_options, command: Command) => showDiagnosis(command.optsWithGlobals()));
  addCommand(program, 'cleanup', "remove all of faild's routes and rules from the kernel")
    .addOption(optionOf(settingOf('networkNamespace')))
    .option('--force', 'even while a daemon runs')
    .action((_options, command: Command) => cleanUp(command.optsWithGlobals()));
  addCommand(program, 'bench', 'measure the LANs to a peer and this machine; disturbs nobody')
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
  addTop((name, description) => addCommand(program, name, description), glance);
  addReport((name, description) => addCommand(program, name, description), glance);
  addCompletion(program, (name, description) => addCommand(program, name, description), glance);
  return program;
}

const checkHelp = `
Exit status: 0 the configuration is right, 1 it is, but faild would not start with it on this
machine, 2 it has faults, each told with its line and column.

Flags of the daemon go before the command: faild -r -t 0.001 check`;

const benchHelp = `
Exit status: 0 measured, 1 it was not, or not wholly, 2 bad usage or no such name, 3 no daemon
answers, 130 interrupted.

Examples:
  sudo faild bench host2                       what the LANs to host2 and this machine are good for
  sudo faild bench --cut A                     how fast both ends notice that LAN A is dead
  sudo faild bench --cut A host2 --yes --json`;

const doctorHelp = `
Exit status: 0 nothing worse than advice, 1 a fault or a warning, 2 bad usage or configuration.

Examples:
  sudo faild doctor                                             look, before and after the rollout
  sudo faild doctor --fix-file /etc/sysctl.d/60-faild.conf      and mend what a sysctl can`;

function addCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .helpOption('-h, --help', 'show this')
    .addOption(optionOf(settingOf('socket')))
    .addOption(optionOf(settingOf('config')));
}

function settingOf(key: string): Setting {
  const setting = settings.find((candidate) => candidate.key === key);
  if (setting === undefined) throw new Error(`no setting '${key}'`);
  return setting;
}

/** No defaults and no checks here: config.ts has them, for the library as well. */
function optionOf(setting: Setting): Option {
  const { key, short, long, argument, help, kind, fallback, fallbackText } = setting;
  const flags =
    [short, long].filter(Boolean).join(', ') + (argument === undefined ? '' : ` ${argument}`);
  const say = kind.showFlag ?? kind.show;
  const shown = fallbackText ?? (argument === undefined ? undefined : say(fallback));
  const option = new Option(flags, shown === undefined ? help : `${help} (default: ${shown})`);
  if (setting.repeatable) option.argParser((value: string, all: string[] = []) => [...all, value]);
  if (option.attributeName() !== key) throw new Error(`${long} must be called ${key}`);
  return option;
}

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

async function showCheck(options: DaemonOptions): Promise<void> {
  const { check } = await import('./doctor/check.js');
  const { text, ready } = await check(options);
  process.stdout.write(text);
  process.exitCode = ready ? 0 : 1;
}

type DoctorOptions = DaemonOptions & { json?: true; fixFile?: string };

async function showDiagnosis({ json, fixFile, ...options }: DoctorOptions): Promise<void> {
  const { diagnose, renderDiagnosis, writeFix } = await import('./doctor/doctor.js');
  const diagnosis = await diagnose(options);
  const written = fixFile === undefined ? '' : `${writeFix(fixFile, diagnosis.findings)}\n`;
  if (json) process.stderr.write(written);
  const text = json ? `${JSON.stringify(diagnosis, null, 2)}\n` : renderDiagnosis(diagnosis);
  process.stdout.write(json ? text : text + written);
  process.exitCode = diagnosis.healthy ? 0 : 1;
}

async function showReload(options: DaemonOptions): Promise<void> {
  const { socket } = await glance(options);
  const { askReload } = await import('./control/client.js');
  const { showChange } = await import('./control/reload.js');
  const { changes, warnings } = await askReload(socket);
  const lines = changes.length === 0 ? ['nothing has changed'] : changes.map(showChange);
  const warned = warnings.map((line) => `warning: ${line}`);
  process.stdout.write(`${[...lines, ...warned].join('\n')}\n`);
}

async function showStatus({ json, ...options }: DaemonOptions & { json?: true }): Promise<void> {
  const { socket } = await glance(options);
  const { fetchStatus } = await import('./control/client.js');
  const { renderStatus } = await import('./text/status.js');
  const { anyPathDown } = await import('./cluster/status.js');
  const status = await fetchStatus(socket);
  process.stdout.write(json ? `${JSON.stringify(status, null, 2)}\n` : renderStatus(status));
  process.exitCode = status.engine.alive ? Number(anyPathDown(status)) : 4;
}

async function cleanUp({ force, ...options }: DaemonOptions & { force?: true }): Promise<void> {
  const { socket, networkNamespace } = await glance(options);
  const { isAnswered } = await import('./control/client.js');
  if (!force && (await isAnswered(socket))) {
    const line =
      `a daemon runs on ${socket} and would put its routes back: stop it first, or ` +
      `use --force`;
    throw new FaildError('EBUSY', line);
  }
  const { cleanup } = await import('./cluster/faild.js');
  const count = cleanup(networkNamespace);
  process.stdout.write(`removed ${count} ${count === 1 ? 'entry' : 'entries'}\n`);
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

#!/usr/bin/env node
// The command line. Thin: flags come from settings.ts, checks from config.ts, work from daemon.ts
// and control-client.ts, each loaded only when it is needed, so that `faild --version` is as quick
// as node itself.
//
// Exit status: 0 done, 1 failed (for `status`: a path is down), 2 bad usage, 3 no daemon answers.
import { Command, CommanderError, Option } from 'commander';

import { type DaemonOptions, parseConfig } from './config.js';
import { codeOf, FaildError, messageOf } from './errors.js';
import { type Setting, settings } from './settings.js';
import { version } from './version.js';

const examples = `
Examples:
  sudo faild -r                            on each host: find the LANs and the peers, and watch them
  sudo faild -r -t 0.001 -f 3              notice a dead path within about 3 ms
  sudo faild -r --lan A=eth1 --lan B=eth2  name the LANs, the preferred first
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
  addCommand(program, 'status', 'show LANs, peers and paths; exit status 1 if a path is down')
    .option('--json', 'the whole status document instead of the table')
    .action((_options, command: Command) => showStatus(command.optsWithGlobals()));
  addCommand(program, 'events', 'follow the events, one JSON line each').action(
    (_options, command: Command) => showEvents(command.optsWithGlobals()),
  );
  addCommand(program, 'cleanup', "remove all of faild's routes and rules from the kernel")
    .addOption(optionOf(settingOf('networkNamespace')))
    .option('--force', 'even while a daemon runs')
    .action((_options, command: Command) => cleanUp(command.optsWithGlobals()));
  return program;
}

function addCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .helpOption('-h, --help', 'show this')
    .addOption(optionOf(settingOf('socket')));
}

function settingOf(key: string): Setting {
  const setting = settings.find((candidate) => candidate.key === key);
  if (setting === undefined) throw new Error(`no setting '${key}'`);
  return setting;
}

/** No defaults and no checks here: config.ts has them, for the library as well. */
function optionOf(setting: Setting): Option {
  const { key, short, long, argument, help, fallback, fallbackText } = setting;
  const flags =
    [short, long].filter(Boolean).join(', ') + (argument === undefined ? '' : ` ${argument}`);
  const shown = fallbackText ?? (argument === undefined ? undefined : fallback);
  const option = new Option(flags, shown === undefined ? help : `${help} (default: ${shown})`);
  if (setting.repeatable) option.argParser((value: string, all: string[] = []) => [...all, value]);
  if (option.attributeName() !== key) throw new Error(`${long} must be called ${key}`);
  return option;
}

async function runFaild(options: DaemonOptions, command: Command): Promise<void> {
  const [stray] = command.args;
  if (stray !== undefined) throw unknownCommand(stray, command);
  const config = parseConfig(options);
  const { runDaemon } = await import('./daemon.js');
  await runDaemon(config);
}

function unknownCommand(stray: string, program: Command): FaildError {
  const names = program.commands.map((command) => command.name()).join(', ');
  const line = `unknown command '${stray}'; there are ${names}; faild alone runs the daemon`;
  return new FaildError('EINVAL', line, { exitStatus: 2 });
}

async function showStatus({ json, ...options }: DaemonOptions & { json?: true }): Promise<void> {
  const { socket } = parseConfig(options);
  const { fetchStatus } = await import('./control-client.js');
  const { renderStatus } = await import('./status-text.js');
  const { anyPathDown } = await import('./status.js');
  const status = await fetchStatus(socket);
  process.stdout.write(json ? `${JSON.stringify(status, null, 2)}\n` : renderStatus(status));
  process.exitCode = anyPathDown(status) ? 1 : 0;
}

async function showEvents(options: DaemonOptions): Promise<void> {
  const { socket } = parseConfig(options);
  const { followEvents } = await import('./control-client.js');
  for await (const event of followEvents(socket))
    process.stdout.write(`${JSON.stringify(event)}\n`);
}

async function cleanUp({ force, ...options }: DaemonOptions & { force?: true }): Promise<void> {
  const { socket, networkNamespace } = parseConfig(options);
  const { isAnswered } = await import('./control-client.js');
  if (!force && (await isAnswered(socket))) {
    const line =
      `a daemon runs on ${socket} and would put its routes back: stop it first, or ` +
      `use --force`;
    throw new FaildError('EBUSY', line);
  }
  const { cleanup } = await import('./faild.js');
  const count = cleanup(networkNamespace);
  process.stdout.write(`removed ${count} ${count === 1 ? 'entry' : 'entries'}\n`);
}

/** Commander's errors in our shape: one line that says what is accepted. */
function usageLine(error: CommanderError): string {
  const line = error.message.replace(/^error: /, '').replace(/\n\(D(.*)\)$/s, '; d$1');
  if (error.code === 'commander.optionMissingArgument') {
    const setting = settings.find(({ long }) => line.includes(`${long} `));
    if (setting !== undefined) return `${line}; give ${setting.accepts}`;
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
    const line = error instanceof CommanderError ? usageLine(error) : messageOf(error);
    process.stderr.write(`faild: ${line}\n`);
    process.exitCode = error instanceof CommanderError ? 2 : exitStatusOf(error);
  }
}

function exitStatusOf(error: unknown): number {
  return error instanceof FaildError ? error.exitStatus : 1;
}

await main();

// Traffic between two hosts of the lab: a stream of numbered datagrams one way, and a TCP
// request/response dialogue. They are what users of the network notice of a failover; faild's own
// figures are checked against them.
import type { ChildProcess } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentCommands } from './flow-agent.js';
import type { DialogueReport, StreamReport } from './flow-report.js';
import { nowUs } from './shell.js';
import type { Family, Host, LanLetter } from './topology.js';

// Plus the family: 4 or 6.
const kStreamPort = 9000;
const kDialoguePort = 9010;

/** The traffic program of one host. */
export class Agent {
  private readonly pending = new Map<number, (answer: Answer) => void>();
  private readonly ended: Promise<void>;
  private lastId = 0;

  private constructor(
    private readonly child: ChildProcess,
    readonly host: Host,
  ) {
    child.on('message', (answer: Answer) => this.pending.get(answer.id)?.(answer));
    this.ended = new Promise((resolve) => child.once('close', () => resolve()));
    child.on('exit', (status) => {
      const error = `the traffic program of ${host.name} ended with status ${status}`;
      for (const settle of this.pending.values()) settle({ id: 0, error });
    });
  }

  static start(host: Host): Agent {
    const program = fileURLToPath(
      new URL(`./flow-agent${extname(import.meta.url)}`, import.meta.url),
    );
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const;
    const loaders = extname(program) === '.ts' ? process.execArgv : [];
    const argv = [process.execPath, ...loaders, program];
    return new Agent(host.launch(argv, { stdio: [...stdio] }), host);
  }

  /** Has the agent do something; resolves with its answer. */
  async order<C extends keyof AgentCommands>(
    command: C,
    argument: Parameters<AgentCommands[C]>[0] | undefined = undefined,
  ): Promise<Awaited<ReturnType<AgentCommands[C]>>> {
    const id = ++this.lastId;
    const answer = await new Promise<Answer>((resolve) => {
      this.pending.set(id, resolve);
      this.child.send({ id, command, argument });
    });
    this.pending.delete(id);
    if (answer.error !== undefined)
      throw new Error(`${this.host.name}: ${command}: ${answer.error}`);
    return answer.result as Awaited<ReturnType<AgentCommands[C]>>;
  }

  async close(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

interface Answer {
  id: number;
  result?: unknown;
  error?: string;
}

export interface FlowSpec {
  from: Agent;
  to: Agent;
  lan: LanLetter;
  family?: Family;
  /** Milliseconds between datagrams, and from a response to the next request. */
  everyMs?: number;
}

/** Numbered datagrams from one host's address on a LAN to another's. */
export class Stream {
  private constructor(
    private readonly spec: FlowSpec,
    private readonly port: number,
  ) {}

  static async start(spec: FlowSpec): Promise<Stream> {
    const { from, to, lan, family = 4, everyMs = 1 } = spec;
    const address = to.host.address(lan, family);
    const port = kStreamPort + family;
    await to.order('receiveStream', { address, port });
    await from.order('sendStream', {
      from: from.host.address(lan, family),
      to: address,
      port,
      everyMs,
    });
    return new Stream(spec, port);
  }

  report(fromUs: number, toUs = nowUs()): Promise<StreamReport> {
    return this.spec.to.order('reportStream', { port: this.port, fromUs, toUs });
  }
}

/** A TCP connection between two hosts' addresses on a LAN, one request at a time. */
export class Dialogue {
  private constructor(
    private readonly spec: FlowSpec,
    private readonly port: number,
  ) {}

  static async start(spec: FlowSpec): Promise<Dialogue> {
    const { from, to, lan, family = 4, everyMs = 1 } = spec;
    const address = to.host.address(lan, family);
    const port = kDialoguePort + family;
    await to.order('serve', { address, port });
    await from.order('ask', { from: from.host.address(lan, family), to: address, port, everyMs });
    return new Dialogue(spec, port);
  }

  report(fromUs: number, toUs = nowUs()): Promise<DialogueReport> {
    return this.spec.from.order('reportDialogue', { port: this.port, fromUs, toUs });
  }
}

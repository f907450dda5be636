// The service manager's end of sd_notify(3): a real datagram socket in the Unix domain, bound by
// perl, since Node has none. It says one line for each datagram.
import type { ChildProcess } from 'node:child_process';
import { native } from '../../lib/engine/native.js';
import { eachLine, Records, type Timed } from './records.js';
import { launch, nowUs } from './shell.js';

export interface Word extends Timed {
  /** The datagram; its lines are joined by blanks. */
  text: string;
}

const kProgram = `
  use Socket;
  socket(my $fd, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!\\n";
  bind($fd, pack_sockaddr_un($ARGV[0])) or die "bind: $!\\n";
  $| = 1; print "listening\\n";
  while (defined recv($fd, my $word, 4096, 0)) { $word =~ tr/\\n/ /; print "$word\\n"; }
`;

export class Manager {
  readonly heard = new Records<Word>();

  private knocks = 0;

  private constructor(
    private readonly perl: ChildProcess,
    private readonly socket: string,
  ) {
    if (perl.stdout) eachLine(perl.stdout, (text) => this.heard.push({ text, readUs: nowUs() }));
  }

  /** A socket in the file system: abstract ones are seen in their own network namespace alone. */
  static async open(socket: string): Promise<Manager> {
    const argv = ['perl', '-e', kProgram, socket];
    const perl = launch(argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    const manager = new Manager(perl, socket);
    await manager.hears('listening');
    return manager;
  }

  close(): void {
    this.perl.kill();
  }

  /** Resolves, with the time, when all that was said before is heard: by a word of the lab's own. */
  async isRead(): Promise<number> {
    const word = `KNOCK=${++this.knocks}`;
    const error = native.notifyService(this.socket, word);
    if (error !== 0) throw new Error(`the manager cannot be told ${word}: error ${error}`);
    return (await this.hears(word)).readUs;
  }

  /** The first such word since `sinceUs`, now or later. */
  hears(word: string | RegExp, sinceUs = 0): Promise<Word> {
    const fits = ({ text }: Word) => (typeof word === 'string' ? text === word : word.test(text));
    return this.heard.waitFor(fits, `the manager hears '${word}'`, 10_000, sinceUs);
  }
}

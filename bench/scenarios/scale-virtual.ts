// A cluster of 10,000 hosts under virtual time (native/virtual_main.cc tells the story): cold
// start, quiet, one link, one host, one LAN.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { nativeProgram } from '../agent.js';
import type { Bar, Figure, Scale, ScenarioResult } from '../scenario.js';
import { summarize } from '../statistics.js';

const kIntervalUs = 1_000_000;

/** A row for each full engine, in nanoseconds, unless it says otherwise. */
interface Story {
  met: number;
  allUpAgain: number;
  coldStart: number[];
  coldPeaks: number[];
  quietVerdicts: number[];
  linkVerdict: number[];
  linkMoved: number[];
  deathVerdict: number[];
  lanVerdict: number[];
  lanMoved: number[];
  lanReturned: number[];
  virtual: number;
  real: number;
  packets: number[];
  engineNs: number[];
}

export async function scaleVirtual(scale: Scale): Promise<ScenarioResult> {
  const hosts = scale.of(10_000, 5_000, 5_000);
  const program = nativeProgram('faild-bench-virtual');
  const argv = [String(hosts), String(kIntervalUs)];
  const { stdout } = await promisify(execFile)(program, argv);
  return describe(JSON.parse(stdout) as Story, hosts);
}

function describe(story: Story, hosts: number): ScenarioResult {
  const engines = story.packets.length;
  return {
    name: 'scale-virtual',
    title: `${hosts.toLocaleString('en')} hosts, under virtual time`,
    method: [
      `${hosts} hosts at 1 s, \`-f 3 -s 3\`, on two LANs, under a virtual clock. Simulated in full:`,
      `${engines} engines, the daemon’s own code with tables for all hosts. The other hosts are`,
      'speakers: they send each heartbeat, answer solicits and solicit the engines, with the daemon’s',
      'codec; they do not judge, list nobody as missing, and the packets among themselves are not',
      'delivered. The kernel obeys after 20 us, a packet travels 50 to 70 us; so the times below are the',
      'protocol’s, not the machine’s. Only CPU a packet is real time.',
    ],
    figures: figures(story),
    notes: notes(story),
    raw: story,
  };
}

function figures(story: Story): Figure[] {
  const row = (name: string, unit: Figure['unit'], values: number[], bars: Bar[] = []) => ({
    name,
    unit,
    summary: summarize(values),
    bars,
  });
  const ms = (values: number[]) => values.map((ns) => ns / 1e6);
  const perPacket = story.engineNs.map((ns, i) => ns / 1000 / (story.packets[i] as number));
  return [
    row('cold start until all are met', 'ms', ms(story.coldStart)),
    row('packets in and out in its busiest second, a LAN', 'count', story.coldPeaks, [
      { figure: 'max', limit: 20_000 },
    ]),
    row('verdicts while all was well', 'count', story.quietVerdicts, [{ figure: 'max', limit: 0 }]),
    row('one link: cut -> verdict', 'ms', ms(story.linkVerdict)),
    row('one link: cut -> moved', 'ms', ms(story.linkMoved)),
    row('one host: death -> verdict', 'ms', ms(story.deathVerdict)),
    row('LAN: cut -> verdict', 'ms', ms(story.lanVerdict)),
    row('LAN: cut -> all moved', 'ms', ms(story.lanMoved)),
    row('LAN: heal -> its rule is gone', 'ms', ms(story.lanReturned)),
    row('engine’s CPU a packet, real', 'us', perPacket),
  ];
}

const notes = (story: Story): string[] => [
  `Everybody met at the start: ${story.met === 1 ? 'yes' : '**no**'}; all paths up again at the end: ${
    story.allUpAgain === 1 ? 'yes' : '**no**'
  }.`,
  `${(story.virtual / 1e9 - 1).toFixed(0)} s of virtual time took ${(story.real / 1e9).toFixed(1)} s; ` +
    `each engine received ${Math.min(...story.packets)} packets.`,
];

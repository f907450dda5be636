// A program that embeds faild by its public door and keeps its own event loop busy: what a
// failover must not notice. Runs inside a host's namespace; takes its options as JSON in its
// argument.
//
//   block MS    answers at once, then computes for MS milliseconds without a pause
//   wait        answers when the event loop turns again
import { createInterface } from 'node:readline';
import { setImmediate as turn } from 'node:timers/promises';
import { Faild, type FaildOptions } from 'faild';

const options = JSON.parse(process.argv[2] ?? '{}') as FaildOptions;
const faild = await Faild.start(options);
const answer = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);

answer({});
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ms] = line.split(' ');
  answer({});
  if (command !== 'block') continue;
  await turn(); // the answer leaves first
  const until = performance.now() + Number(ms);
  while (performance.now() < until); // this is the point: nothing else of JavaScript runs
}
await faild.stop();

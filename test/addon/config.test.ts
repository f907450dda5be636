// Aim: whatever is wrong with a configuration is told by field, value and what is accepted, as an
// EINVAL; nothing that JavaScript hands over reaches a CHECK.
import t from 'tap';
import { type NativeRuntimeConfig, native } from '../../lib/engine/native.js';
import { engineConfig, runtimeConfig, virtualLan } from './support.js';

const config = engineConfig(1);
const lan = virtualLan(1, 0);
const plan = config.plan;

/** With this as a part of the second LAN's timing. */
function timed(change: object): object {
  return { plan: { ...plan, timing: [plan.timing[0], { ...plan.timing[1], ...change }] } };
}

const refused: [what: object, message: string][] = [
  [{ host: '12' }, 'host: "12" is not accepted; expected 16 hex digits'],
  [
    { host: '0000000000000000' },
    'host: "0000000000000000" is not accepted; expected 16 hex digits, not all zero',
  ],
  [{ host: 5n }, 'host: an object is not accepted; expected 16 hex digits'],
  [
    { name: 'x'.repeat(33) },
    `name: "${'x'.repeat(33)}" is not accepted; expected text of at most 32 bytes`,
  ],
  [{ requestor: 1 }, 'requestor: 1 is not accepted; expected true or false'],
  [
    timed({ intervalUs: 49 }),
    'plan.timing[1].intervalUs: 49 is not accepted; expected a number from 50 to 3600000000',
  ],
  [
    timed({ intervalUs: Number.NaN }),
    'plan.timing[1].intervalUs: NaN is not accepted; expected a number from 50 to 3600000000',
  ],
  [
    timed({ failAfter: 0 }),
    'plan.timing[1].failAfter: 0 is not accepted; expected a whole number from 1 to 1000',
  ],
  [
    timed({ failAfter: 1.5 }),
    'plan.timing[1].failAfter: 1.5 is not accepted; expected a whole number from 1 to 1000',
  ],
  [
    timed({ restoreAfter: undefined }),
    'plan.timing[1].restoreAfter: undefined is not accepted; expected a whole number from 1 to 100000',
  ],
  [
    { plan: { ...plan, timing: plan.timing.slice(1) } },
    'plan.timing: a list is not accepted; expected a list of 2 to 2',
  ],
  [{ maxPeers: 16385 }, 'maxPeers: 16385 is not accepted; expected a whole number from 1 to 16384'],
  [{ lans: [] }, 'lans: a list is not accepted; expected a list of 1 to 8'],
  [{ lans: null }, 'lans: null is not accepted; expected a list of 1 to 8'],
  [{ lans: [7] }, 'lans[0]: 7 is not accepted; expected an object'],
  [
    { lans: [{ ...lan, mac: 'x' }] },
    'lans[0].mac: "x" is not accepted; expected a MAC address such as 02:00:00:00:00:01',
  ],
  [
    { lans: [lan, { ...lan, addresses: ['10.0.0.1/33'] }] },
    'lans[1].addresses[0]: "10.0.0.1/33" is not accepted; expected an address with its prefix length, such as 10.0.1.1/24',
  ],
  [
    { lans: [{ ...lan, addresses: ['224.0.0.1/24'] }] },
    'lans[0].addresses[0]: "224.0.0.1/24" is not accepted; expected a host\'s address',
  ],
  [
    { plan: { ...plan, preference: [0] } },
    'plan.preference: a list is not accepted; expected a list of 2 to 2',
  ],
  [
    { plan: { ...plan, preference: [1, 1] } },
    'plan.preference[1]: 1 is not accepted; expected each LAN only once',
  ],
  [
    { plan: { ...plan, switchback: 'never' } },
    'plan.switchback: "never" is not accepted; expected one of auto, sticky, manual',
  ],
];

t.test('an engine refuses what it cannot mean', async (t) => {
  for (const [change, message] of refused) {
    const wrong = { ...config, ...change } as typeof config;
    t.throws(() => new native.VirtualEngine(wrong, 0), { code: 'EINVAL', message });
  }
});

t.test('the real engine refuses what only it is told', async (t) => {
  const right = runtimeConfig(1, '', config.lans);
  const refuses = (change: object, message: RegExp) => {
    const wrong = { ...right, ...change } as NativeRuntimeConfig;
    t.throws(() => new native.Engine(wrong, () => {}), { code: 'EINVAL', message });
  };
  refuses({ port: 0 }, /^port: 0 is not accepted; expected a whole number from 1 to 65535/);
  refuses(
    { transport: 'tcp' },
    /^transport: "tcp" is not accepted; expected one of auto, raw, udp/,
  );
  refuses({ realtimePriority: 100 }, /^realtimePriority: 100/);
});

t.test('a namespace that is not there is an error of start()', async (t) => {
  const engine = new native.Engine(runtimeConfig(1, '/run/netns/no-such', config.lans), () => {});
  t.throws(() => engine.start(), { code: String, message: /no-such/ });
  t.throws(() => engine.facts(), { code: 'ENOTRUNNING' });
  t.throws(() => engine.command({ kind: 'cleanup' }), { code: 'ENOTRUNNING' });
  await t.rejects(engine.snapshot(), { code: 'ENOTRUNNING' });
  engine.stop(true);
  t.same(engine.drain(), { events: [], lost: 0 });
});

t.test('a virtual engine keeps time and LANs in bounds', async (t) => {
  const engine = new native.VirtualEngine(config, 1000);
  t.throws(() => engine.onDeadline(999), { message: /^nowUs: 999/ });
  t.throws(() => engine.onLink(2000, 2, true), { message: /^lan: 2 .* from 0 to 1$/ });
  t.throws(() => engine.onPacket(2000, 2000, 0, 'x', new Uint8Array()), { message: /^from: "x"/ });
  t.throws(() => engine.onCommand(2000, { kind: 'x' } as never), {
    message: /^command\.kind: "x"/,
  });
});

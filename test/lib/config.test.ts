// Aim: every flag refuses what it cannot mean, in one line that names the flag, the value and what
// is accepted; and says yes to all of its range.
import t from 'tap';
import { ConfigFaults, FaildError } from '../../lib/base/errors.js';
import { type DaemonOptions, parseConfig } from '../../lib/config/config.js';

function refusal(options: Record<string, unknown>): FaildError {
  try {
    parseConfig(options as DaemonOptions);
  } catch (error) {
    if (error instanceof FaildError) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(options)}`);
}

const refused: [key: string, flag: string, values: unknown[]][] = [
  ['requestor', '-r (--requestor)', ['yes', 1]],
  [
    'interval',
    '-t (--interval)',
    ['0', '-1', '0.00001', '3601', 'abc', '', '1s', '0x10', '1 ', ' 1', 'NaN', 'Infinity', '1,5'],
  ],
  ['failAfter', '-f (--fail-after)', ['0', '1001', '1.5', 'three', '-3']],
  ['restoreAfter', '-s (--restore-after)', ['0', '100001', '2.5', '']],
  ['port', '-p (--port)', ['0', '65536', 'http', '9311.5']],
  ['logFile', '-l (--log-file)', ['', 3]],
  ['lan', '--lan', [['A'], ['=eth0'], ['A='], ['A B=eth0'], ['A=eth0/1'], ['A=sixteen-letters-']]],
  ['lan', '--lan', [['A=10.1.0.0/33'], ['A=10.1.0/24'], ['A=fd00::/129'], ['A=/24']]],
  ['ignoreInterface', '--ignore-interface', [[''], ['a/b'], ['two words'], ['x'.repeat(16)]]],
  ['switchback', '--switchback', ['never', '', 'Auto']],
  ['holdTime', '--hold-time', ['30', '-1s', '31d', '800h', '1 s', '1s ', 'off', -1]],
  ['flapWindow', '--flap-window', ['0s', '1us', '25h', 'on', 0]],
  ['grayLoss', '--gray-loss', ['0%', '101%', '20', '0.2', '-5%', 0, 1.1]],
  ['grayRoundTrip', '--gray-round-trip', ['0s', '9us', '61s', '5', 0]],
  ['transport', '--transport', ['tcp', '', 'RAW']],
  ['cluster', '--cluster', ['', 'two words', 'x'.repeat(33)]],
  ['hostName', '--host-name', ['', 'x'.repeat(33), 'naïve']],
  ['socket', '--socket', ['', 'x'.repeat(108)]],
  ['stateDir', '--state-dir', ['']],
  ['realtimePriority', '--realtime-priority', ['-1', '100', 'high']],
  ['cpu', '--cpu', ['-1', '1024', '0.5']],
  ['maxPeers', '--max-peers', ['0', '16385']],
  ['networkNamespace', '--network-namespace', ['']],
];

t.test('what is not accepted gets one line and exit status 2', async (t) => {
  for (const [key, flag, values] of refused) {
    for (const value of values) {
      const error = refusal({ [key]: value });
      const shown = Array.isArray(value) ? value[0] : value;
      t.equal(error.code, 'EINVAL');
      t.equal(error.exitStatus, 2);
      t.ok(error.message.startsWith(`${flag}: `), error.message);
      t.ok(error.message.includes(typeof shown === 'string' ? `'${shown}'` : String(shown)));
      t.match(error.message, / is not accepted; give \S+/);
      t.notMatch(error.message, /\n/);
    }
  }
});

t.test('an example of the wording', async (t) => {
  t.equal(
    refusal({ interval: '1s' }).message,
    "-t (--interval): '1s' is not accepted; " +
      'give seconds from 0.00005 to 3600, with a fraction if wanted, such as 0.01',
  );
});

t.test('defaults', async (t) => {
  t.match(parseConfig({}), {
    requestor: false,
    intervalUs: 100_000,
    failAfter: 3,
    restoreAfter: 10,
    port: 9311,
    lans: [],
    transport: 'auto',
    cluster: 'default',
    socket: '/run/faild/faild.sock',
    stateDir: '/var/lib/faild',
    realtimePriority: 50,
    cpu: null,
    networkNamespace: null,
    logFile: null,
    ignoredInterfaces: [],
    switchback: 'auto',
    holdUs: 0,
    flapWindowUs: null,
    grayLoss: null,
    grayRoundTripUs: null,
    rtoMinUs: null,
    source: 'own',
    allowedPeers: [],
    destination: 'broadcast',
    multicastGroup: '239.255.93.11',
    staticPeers: [],
  });
  t.ok(parseConfig({}).hostName.length > 0);
});

t.test('seconds with fractions become whole microseconds', async (t) => {
  const cases: [string, number][] = [
    ['0.00005', 50],
    ['.01', 10_000],
    ['0.0002', 200],
    ['1', 1_000_000],
    ['1e-3', 1000],
    ['0.1', 100_000],
    ['3600', 3_600_000_000],
  ];
  for (const [text, us] of cases) {
    t.equal(parseConfig({ interval: text as unknown as number }).intervalUs, us, text);
    t.equal(parseConfig({ interval: Number(text) }).intervalUs, us, `${text} as a number`);
  }
});

t.test('the ends of each range are inside', async (t) => {
  t.equal(parseConfig({ failAfter: 1 }).failAfter, 1);
  t.equal(parseConfig({ failAfter: 1000 }).failAfter, 1000);
  t.equal(parseConfig({ restoreAfter: 100_000 }).restoreAfter, 100_000);
  t.equal(parseConfig({ port: 65_535 }).port, 65_535);
  t.equal(parseConfig({ realtimePriority: 0 }).realtimePriority, 0);
});

t.test('LANs: as text or as fields, each name and each interface once', async (t) => {
  const lans = [
    { name: 'A', interface: 'eth1' },
    { name: '10.0.2.0/24', interface: 'eth2' },
    { name: 'C', subnet: 'fd00:3::/64' },
  ];
  t.same(parseConfig({ lan: ['A=eth1', '10.0.2.0/24=eth2', 'C=fd00:3::/64'] }).lans, lans);
  t.same(parseConfig({ lan: lans }).lans, lans);
  t.match(refusal({ lan: ['A=eth1', 'A=eth2'] }).message, /^--lan: 'A' is given twice/);
  t.match(refusal({ lan: ['A=eth1', 'B=eth1'] }).message, /^--lan: 'eth1' is given twice/);
  const twice = { lan: ['A=10.1.0.0/24', 'B=10.1.0.0/24'] };
  t.match(refusal(twice).message, /^--lan: '10.1.0.0\/24' is given twice/);
});

t.test('durations and shares with their units, or as numbers from a program', async (t) => {
  const config = parseConfig({
    holdTime: '1.5s',
    flapWindow: '2min',
    grayLoss: '2.5%',
    grayRoundTrip: '800us',
  });
  const expected = { holdUs: 1.5e6, flapWindowUs: 120e6, grayLoss: 0.025, grayRoundTripUs: 800 };
  t.match(config, expected);
  const numbers = { holdTime: 1.5, flapWindow: 120, grayLoss: 0.025, grayRoundTrip: 0.0008 };
  t.match(parseConfig(numbers), expected);
  const off = { flapWindow: 'off', grayLoss: null, grayRoundTrip: 'off' };
  t.match(parseConfig(off), { flapWindowUs: null, grayLoss: null, grayRoundTripUs: null });
});

t.test('who may be a peer: subnets, addresses, host ids', async (t) => {
  const allowPeer = ['10.1.0.0/24', 'fd00:1::2', '32BE8738c0e0eb33'];
  t.same(parseConfig({ allowPeer }).allowedPeers, ['10.1.0.0/24', 'fd00:1::2', '32be8738c0e0eb33']);
  for (const who of ['web1', '10.1.0', '0000000000000000', '32be8738c0e0eb3', '10.1.0.0/33']) {
    t.match(
      refusal({ allowPeer: [who] }).message,
      /--allow-peer: .* give a subnet such as 10.1.0.0\/24/,
    );
  }
  const many = Array.from({ length: 65 }, (_, i) => `10.1.0.${i}`);
  t.match(refusal({ allowPeer: many }).message, '--allow-peer: 65 are given; at most 64');
});

t.test('how everybody is reached', async (t) => {
  const staticPeer = ['10.1.0.2', 'fd00:1::2'];
  const config = parseConfig({ destination: 'unicast', staticPeer });
  t.match(config, { destination: 'unicast', staticPeers: staticPeer });
  t.match(
    refusal({ destination: 'unicast' }).message,
    /unicast reaches nobody without static peers/,
  );
  t.match(refusal({ staticPeer: ['10.1.0.0/24'] }).message, /--static-peer: .* give an address/);
  for (const multicastGroup of [
    '10.1.0.255',
    '223.255.255.255',
    '240.0.0.1',
    '239.1.1.256',
    'ff02::1',
  ]) {
    t.match(refusal({ multicastGroup }).message, /--multicast-group: .* give an IPv4 group/);
  }
  t.match(parseConfig({ multicastGroup: '224.0.1.200' }), { multicastGroup: '224.0.1.200' });
});

t.test('what the kernel counts in whole milliseconds', async (t) => {
  t.match(parseConfig({ rtoMin: '5ms' }), { rtoMinUs: 5000 });
  t.match(parseConfig({ rtoMin: 0.07 }), { rtoMinUs: 70_000 });
  t.match(parseConfig({ rtoMin: 'off' }), { rtoMinUs: null });
  for (const rtoMin of ['1.5ms', '500us', 0.0015, '11s', 0]) {
    t.match(
      refusal({ rtoMin }).message,
      /--rto-min: .* is not accepted; give a duration .* without parts of a millisecond, or off/,
    );
  }
});

t.test('all faults at once', async (t) => {
  const error = refusal({ interval: 0, port: 'http', lan: ['A', 'B=eth1', 'B=eth2'] });
  t.ok(error instanceof ConfigFaults);
  t.same(
    (error as ConfigFaults).faults.map(({ message }) => message.split(' ').slice(0, 3).join(' ')),
    ['-t (--interval): 0', "-p (--port): 'http'", "--lan: 'A' is", "--lan: 'B' is"],
  );
});

t.test('a misspelt option of a library caller is named', async (t) => {
  t.match(
    refusal({ intervall: 1 }).message,
    /^unknown option 'intervall'; did you mean 'interval'\? the options are .*interval/,
  );
});

t.test('where metrics are served: an address and a port, or off', async (t) => {
  t.equal(parseConfig({}).metricsListen, null);
  for (const good of ['127.0.0.1:9312', '[::1]:1', '0.0.0.0:65535', 'off']) {
    const { metricsListen } = parseConfig({ metricsListen: good });
    t.equal(metricsListen, good === 'off' ? null : good);
  }
  for (const bad of [':9312', '9312', 'localhost:9312', '1.2.3:1', '::1:9312', '1.2.3.4:65536']) {
    t.throws(() => parseConfig({ metricsListen: bad }), { message: /--metrics-listen: .*9312/ });
  }
});

t.test('sizes carry units', async (t) => {
  t.equal(parseConfig({}).historyBytes, 16e6);
  const good: [string, number | null][] = [
    ['1MB', 1e6],
    ['1.5GB', 1.5e9],
    ['2000kB', 2e6],
    ['off', null],
  ];
  for (const [history, bytes] of good) t.equal(parseConfig({ history }).historyBytes, bytes);
  for (const history of ['16', '16 MB', '1kB', '11GB', '-1MB', '1MiB']) {
    const message = /--history: .* give a size from 1MB to 10GB, such as 16MB, or off/;
    t.throws(() => parseConfig({ history }), { message });
  }
});

t.test('hooks: from a flag, and as fields', async (t) => {
  t.same(parseConfig({ hook: ['failover,isolated=/bin/page'] }).hooks, [
    { run: ['/bin/page'], on: ['failover', 'isolated'], timeoutS: 10 },
  ]);
  const [every] = parseConfig({ hook: [{ run: ['/bin/page', 'a b'], timeout: '1min' }] }).hooks;
  t.match(every, { run: ['/bin/page', 'a b'], timeoutS: 60 });
  t.ok(every?.on.includes('lost'), 'every kind, unless said otherwise');
  const bad = ['/bin/page', '=/bin/page', 'failover=page', 'x=/bin/page', {}, { run: [] }, null];
  for (const each of [...bad, { run: ['/p'], on: [] }, { run: ['/p'], timeout: '1h' }]) {
    const hook = [each as object];
    t.throws(() => parseConfig({ hook }), {
      message: /--hook: .* give KIND\[,KIND\.\.\.\]=PROGRAM/,
    });
  }
  const many = Array.from({ length: 17 }, () => 'failover=/bin/page');
  t.throws(() => parseConfig({ hook: many }), { message: '--hook: 17 are given; at most 16' });
});

// Aim: every fault of the file at once, each with its line, its column, what was found and what is
// accepted; and a right file says exactly what flags would.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type ConfigFaults, showFault } from '../../lib/base/errors.js';
import { type DaemonOptions, parseConfig } from '../../lib/config/config.js';
import { glanceOptions, loadOptions, parseConfigFile } from '../../lib/config/config-file.js';

const faultsOf = (text: string): string[] =>
  parseConfigFile(text, 'faild.yaml').faults.map(showFault);

const everything = `# every key
role: requestor
interval: 10ms
fail-after: 4
restore-after: 20
port: 9312
log-file: /var/log/faild.log
lans:
  - name: B
    subnet: 10.2.0.0/24
  - {name: A, interface: eth1}
ignore-interfaces: ["usb*", eth9]
transport: raw
switchback: sticky
hold-time: 30s
flap-window: 1min
gray-loss: 20%
gray-round-trip: off
cluster: blue
host-name: web1
socket: /run/faild.sock
state-dir: /var/lib/f
realtime-priority: 0
cpu: 1
max-peers: 100
network-namespace: /run/netns/blue
hooks:
  - run: [/usr/local/bin/page, web]
    on: [failover, isolated]
    timeout: 5s
  - run: [/usr/local/bin/page, web]
`;

t.test('every key, in the words of the flags', async (t) => {
  const { options, faults, places } = parseConfigFile(everything, 'faild.yaml');
  t.same(faults, []);
  t.same(options, {
    requestor: true,
    interval: 0.01,
    failAfter: 4,
    restoreAfter: 20,
    port: 9312,
    logFile: '/var/log/faild.log',
    lan: [
      { name: 'B', subnet: '10.2.0.0/24' },
      { name: 'A', interface: 'eth1' },
    ],
    ignoreInterface: ['usb*', 'eth9'],
    transport: 'raw',
    switchback: 'sticky',
    hook: [
      { run: ['/usr/local/bin/page', 'web'], on: ['failover', 'isolated'], timeout: 5 },
      { run: ['/usr/local/bin/page', 'web'] },
    ],
    holdTime: 30,
    flapWindow: 60,
    grayLoss: 0.2,
    grayRoundTrip: null,
    cluster: 'blue',
    hostName: 'web1',
    socket: '/run/faild.sock',
    stateDir: '/var/lib/f',
    realtimePriority: 0,
    cpu: 1,
    maxPeers: 100,
    networkNamespace: '/run/netns/blue',
  });
  t.same(places.get('interval'), { line: 3, col: 1 });
  t.match(parseConfig(options), { intervalUs: 10_000, holdUs: 30e6, grayRoundTripUs: null });
});

t.test('an empty file, and one of comments, says nothing', async (t) => {
  for (const text of ['', '\n', '# interval: 10ms\n', '---\n', '{}', '\ufeff# with a mark\n']) {
    t.match(parseConfigFile(text, 'x'), { options: {}, faults: [] }, JSON.stringify(text));
  }
});

const refused: [text: string, faults: string[]][] = [
  [
    'interval: 0.1\n',
    ['1:11: interval: 0.1 is not accepted; give a duration from 50us to 1h, such as 10ms'],
  ],
  [
    'interval: 10 ms\n',
    ["1:11: interval: '10 ms' is not accepted; give a duration from 50us to 1h, such as 10ms"],
  ],
  ['fail-after: 0\n', ['1:13: fail-after: 0 is not accepted; give a whole number from 1 to 1000']],
  ['port: "9311"\n', ["1:7: port: '9311' is not accepted; give a whole number from 1 to 65535"]],
  ['port: .nan\n', ['1:7: port: NaN is not accepted; give a whole number from 1 to 65535']],
  ['role: true\n', ['1:7: role: true is not accepted; give requestor or responder']],
  ['transport: tcp\n', ["1:12: transport: 'tcp' is not accepted; give raw, udp or auto"]],
  [
    'switchback: manuel\n',
    ["1:13: switchback: 'manuel' is not accepted; give auto, sticky or manual"],
  ],
  [
    'gray-loss: 0.2\n',
    [
      '1:12: gray-loss: 0.2 is not accepted; give a percentage from 1% to 100%, such as 20%, or off',
    ],
  ],
  [
    'cluster: 17\n',
    [
      '1:10: cluster: 17 is not accepted; ' +
        'give 1 to 32 printable ASCII characters without blanks, in quotes: "17"',
    ],
  ],
  ['log-file:\n', ['1:10: log-file: nothing is not accepted; give the path of a file']],
  ['cpu: [1, 2]\n', ['1:6: cpu: a list is not accepted; give a whole number from 0 to 1023']],
  ['cpu: {a: 1}\n', ['1:6: cpu: a mapping is not accepted; give a whole number from 0 to 1023']],
  ['fail_after: 3\n', ["1:1: unknown key 'fail_after'; did you mean 'fail-after'?"]],
  ['restoreAfter: 3\n', ["1:1: unknown key 'restoreAfter'; did you mean 'restore-after'?"]],
  ['swichback: auto\n', ["1:1: unknown key 'swichback'; did you mean 'switchback'?"]],
  ['lan: []\n', ["1:1: unknown key 'lan'; did you mean 'lans'?"]],
  ['__proto__: 1\n', [/^1:1: unknown key '__proto__'; the keys are role, interval, /] as never],
  ['config: x\n', [/^1:1: unknown key 'config'; the keys are /] as never],
  ['lans: A=eth1\n', ["1:7: lans: 'A=eth1' is not accepted; give a list, each with its `- name:`"]],
  [
    `peers-allowed:\n${'  - 10.0.0.1\n'.repeat(65)}prot: 1\n`,
    [
      '66:5: peers-allowed: 65 are given; at most 64',
      "67:1: unknown key 'prot'; did you mean 'port'?",
    ],
  ],
  [`hooks:\n${'  - run: [/bin/true]\n'.repeat(17)}`, ['18:5: hooks: 17 are given; at most 16']],
  [
    'ignore-interfaces: eth1\n',
    ["1:20: ignore-interfaces: 'eth1' is not accepted; give a list, each after a dash"],
  ],
  [
    'ignore-interfaces:\n  - eth1\n  - a/b\n',
    [
      "3:5: ignore-interfaces[2]: 'a/b' is not accepted; " +
        'give a pattern of at most 15 characters for interface names, such as docker*',
    ],
  ],
  [
    'lans:\n  - A=eth1\n',
    ["2:5: lans[1]: 'A=eth1' is not accepted; give name: and one of interface, subnet"],
  ],
  [
    'lans:\n  - interface: eth1\n  - name: B\n  - {name: C, interface: eth1, subnet: 10.1.0.0/24}\n',
    [
      '2:5: lans[1]: name: is missing',
      '3:5: lans[2]: give one of interface, subnet; none is given',
      '4:5: lans[3]: give one of interface, subnet; more are given',
      "4:26: lans: interface 'eth1' is given twice",
    ],
  ],
  [
    'lans:\n  - name: A\n    subnet: 10.1.0.0/33\n    intreface: eth1\n',
    [
      "3:13: lans[1].subnet: '10.1.0.0/33' is not accepted; give a subnet, such as 10.1.0.0/24",
      "4:5: unknown key 'intreface'; did you mean 'interface'?",
    ],
  ],
  ['- interval: 1s\n', [/^1:1: a list of `key: value` lines is expected/] as never],
  ['interval\n', [/^1:1: a list of `key: value` lines is expected/] as never],
  ['port: 1\nport: 2\n', ['2:1: this key is given twice']],
  ['port: 1\n---\nport: 2\n', ['2:1: a second document; faild reads one']],
  [
    'fail-after: &n 3\nrestore-after: *n\n',
    ['2:16: restore-after: an alias (*n) is not accepted; say it again'],
  ],
  ['port: !port 3\n', ['1:1: port: a tag (!port) is not accepted']],
  ['hooks: [x]\n', ["1:9: hooks[1]: 'x' is not accepted; give run:"]],
  ['hooks: [{on: [failover]}]\n', ['1:9: hooks[1]: run: is missing']],
  [
    'hooks: [{run: [page]}, {run: []}, {run: /bin/true}]\n',
    [
      '1:15: hooks[1].run: a list is not accepted; give the absolute path of a program',
      '1:30: hooks[2].run: a list is not accepted; give the absolute path of a program',
      "1:41: hooks[3].run: '/bin/true' is not accepted; give the absolute path of a program",
    ],
  ],
  [
    'hooks: [{run: [/p, 3], on: [fail-over]}]\n',
    [
      '1:20: hooks[1].run[2]: 3 is not accepted; give a text, in quotes: "3"',
      "1:29: hooks[1].on[1]: 'fail-over' is not accepted; give peer-found, ",
    ],
  ],
  ['? [a]\n: 1\n', ['1:3: a key is one plain word']],
  ['interval: 10ms\n\tport: 1\n', [/^2:1: not YAML: Tabs are not allowed as indentation/] as never],
  ['cluster: "x\n', [/^2:1: not YAML: Missing closing "quote/] as never],
];

t.test('each fault, as a user sees it', async (t) => {
  for (const [text, expected] of refused) {
    const found = faultsOf(text).map((line) => line.replace(/^faild\.yaml:/, ''));
    t.match(found, expected, JSON.stringify(text));
    t.equal(found.length, expected.length, found.join('\n'));
  }
});

t.test('all faults at once, in the order of the file', async (t) => {
  const text = 'interval: 1\nfail-after: x\nprot: 9311\nlans:\n  - name: "A B"\n';
  t.same(faultsOf(text), [
    'faild.yaml:1:11: interval: 1 is not accepted; give a duration from 50us to 1h, such as 10ms',
    "faild.yaml:2:13: fail-after: 'x' is not accepted; give a whole number from 1 to 1000",
    "faild.yaml:3:1: unknown key 'prot'; did you mean 'port'?",
    'faild.yaml:5:5: lans[1]: give one of interface, subnet; none is given',
    "faild.yaml:5:11: lans[1].name: 'A B' is not accepted; give 1 to 32 letters, digits or . _ : / -",
  ]);
});

t.test('flags win over the file, the file over the defaults', async (t) => {
  const dir = t.testdir({
    'faild.yaml':
      'role: requestor\ninterval: 10ms\nport: 9312\nlans: [{name: A, interface: eth1}]\n',
    'bad.yaml': 'interval: 10\nsocket: /run/x.sock\nlans: [{}]\n',
  });
  const load = (flags: DaemonOptions) =>
    parseConfig(loadOptions({ config: join(dir, 'faild.yaml'), ...flags }).options);
  t.match(load({}), { requestor: true, intervalUs: 10_000, port: 9312, failAfter: 3 });
  t.match(load({ interval: 1, requestor: false }), { requestor: false, intervalUs: 1e6 });
  t.same(load({ lan: ['B=eth2'] }).lans, [{ name: 'B', interface: 'eth2' }]);

  const bad = join(dir, 'bad.yaml');
  t.throws(() => loadOptions({ config: bad }), { code: 'EINVAL', faults: { length: 3 } });
  t.match(glanceOptions({ config: bad }), { socket: '/run/x.sock' }, 'its socket is still found');
  t.match(glanceOptions({ config: bad, socket: '/s' }), { socket: '/s' });
  t.equal(parseConfig(glanceOptions({ config: bad })).socket, '/run/x.sock');
});

t.test('what is wrong only together is told at its line, with all else', async (t) => {
  const dir = t.testdir({
    'alone.yaml': 'interval: 10ms\ndestination: unicast\n',
    'bad.yaml': 'destination: unicast\nprot: 1\n',
  });
  const told = (name: string, flags: DaemonOptions = {}): string[] => {
    try {
      loadOptions({ config: join(dir, name), ...flags });
      return [];
    } catch (error) {
      return (error as ConfigFaults).faults.map(showFault);
    }
  };
  const nobody = 'destination: unicast reaches nobody without static-peers; name some';
  t.same(told('alone.yaml'), [`${dir}/alone.yaml:2:1: ${nobody}`]);
  t.same(told('alone.yaml', { staticPeer: ['10.1.0.2'] }), []);
  t.same(told('alone.yaml', { destination: 'broadcast' }), []);
  t.match(told('bad.yaml', { failAfter: 'x' as never }), [
    `${dir}/bad.yaml:2:1: unknown key 'prot'; did you mean 'port'?`,
    `${dir}/bad.yaml:1:1: ${nobody}`,
    /^-f \(--fail-after\): 'x' is not accepted/,
  ]);
});

t.test('a file that was named must be there, and be a configuration', async (t) => {
  const dir = t.testdir();
  const config = join(dir, 'none.yaml');
  const missing = {
    code: 'ENOENT',
    exitStatus: 2,
    message: /^--config: cannot read .*none\.yaml: /,
  };
  t.throws(() => loadOptions({ config }), missing);
  t.throws(() => glanceOptions({ config }), missing);
  mkdirSync(join(dir, 'folder'));
  t.throws(() => loadOptions({ config: join(dir, 'folder') }), { code: 'EISDIR', exitStatus: 2 });
  writeFileSync(join(dir, 'huge.yaml'), Buffer.alloc((1 << 20) + 1, '#'));
  t.throws(() => loadOptions({ config: join(dir, 'huge.yaml') }), { code: 'EFBIG' });
});

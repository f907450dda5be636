// Aim: what is made from the table of settings is in the tree as the table makes it, and the
// example that we ship is right, also when its defaults are said aloud. An editor that reads the
// schema accepts what faild accepts, and refuses what it can know to be wrong.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import t from 'tap';
import { parse } from 'yaml';

import { readSettings } from '../../lib/config/config.js';
import { parseConfigFile } from '../../lib/config/config-file.js';
import { configSchema } from '../../lib/config/schema.js';
import { fallbackShown, fileKey, settings } from '../../lib/config/settings.js';

t.test('docs/faild.schema.json and the table of the README are up to date', async (t) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['scripts/generate.mjs', '--check'],
    { encoding: 'utf8' },
  );
  t.equal(status, 0, stdout + stderr);
});

t.test('the schema knows every key of the file, and no other', async (t) => {
  const { properties } = configSchema() as { properties: Record<string, { description: string }> };
  t.same(
    Object.keys(properties),
    settings.map(fileKey).filter((key) => key !== null),
  );
  for (const [key, { description }] of Object.entries(properties))
    t.match(description, / Default: .*\.( Give|$)/, key);
});

const example = readFileSync('packaging/faild.yaml', 'utf8');

t.test('the example is right', async (t) => {
  const { faults, options } = parseConfigFile(example, 'packaging/faild.yaml');
  t.same(faults, []);
  t.match(options, { requestor: true, interval: 0.01 });
});

/** With every default said. */
const aloud = example.replace(/^#([a-z-]+:| {2}- | {4}[a-z])/gm, '$1');

t.test('the example names every key, and each default as it is', async (t) => {
  const { faults, options } = parseConfigFile(aloud, 'packaging/faild.yaml');
  t.same(faults, []);
  for (const setting of settings) {
    const key = fileKey(setting);
    if (key !== null) t.ok(Object.hasOwn(options, setting.key), `the example names ${key}`);
    const fixed =
      setting.fallback !== undefined && !['requestor', 'interval'].includes(setting.key);
    const value = readSettings(options)[setting.key];
    if (fixed) t.equal(setting.kind.show(value), setting.kind.show(setting.fallback), setting.key);
  }
  t.equal(fallbackShown(settings[1] as never), '100ms');
});

const validate = new Ajv({ allowUnionTypes: true }).compile(
  JSON.parse(readFileSync('docs/faild.schema.json', 'utf8')),
);
const byEditor = (text: string) => validate(parse(text));
const byFaild = (text: string) => parseConfigFile(text, 'faild.yaml').faults.length === 0;

t.test('a validator accepts by the schema what faild accepts', async (t) => {
  const right = [
    '',
    'lans:\n  - {name: A, interface: eth1}\n  - {name: B, subnet: 10.2.0.0/24, interval: 1.5s}\n',
    'role: responder\nfail-after: 1\nrestore-after: 100000\nport: 65535\n',
    'gray-loss: 12.5%\ngray-round-trip: off\nhold-time: 1h\nhistory: off\n',
    'hooks:\n  - run: [/bin/true]\n  - {run: [/bin/true, x], on: [failover], timeout: 5s}\n',
    'ignore-interfaces: ["usb*", eth9]\npeers-allowed: [10.1.0.0/24]\ncpu: 0\n',
  ];
  for (const text of [example, aloud, ...right]) {
    t.ok(byFaild(text), text.slice(0, 40));
    t.ok(byEditor(text), JSON.stringify(validate.errors));
  }
});

t.test('and refuses wrong types, words, patterns and keys', async (t) => {
  const wrong = [
    'interval: 0.1\n',
    'interval: 10 ms\n',
    'fail-after: 0\n',
    'fail-after: 1.5\n',
    'port: "9311"\n',
    'port: 65536\n',
    'role: true\n',
    'transport: tcp\n',
    'switchback: manuel\n',
    'gray-loss: 0.2\n',
    'cluster: 17\n',
    'history: 16\n',
    'log-file:\n',
    'cpu: [1, 2]\n',
    'fail_after: 3\n',
    'config: x\n',
    'lans: A=eth1\n',
    'lans:\n  - A=eth1\n',
    'lans:\n  - interface: eth1\n',
    'lans:\n  - name: A\n',
    'lans:\n  - {name: A, interface: eth1, subnet: 10.1.0.0/24}\n',
    'lans:\n  - {name: A, intreface: eth1}\n',
    'lans:\n  - {name: "A B", interface: eth1}\n',
    'ignore-interfaces: eth1\n',
    'ignore-interfaces: [a/b]\n',
    'hooks: [x]\n',
    'hooks: [{on: [failover]}]\n',
    'hooks: [{run: []}]\n',
    'hooks: [{run: /bin/true}]\n',
    'hooks: [{run: [/p], on: [fail-over]}]\n',
    '- interval: 1s\n',
  ];
  for (const text of wrong) {
    t.notOk(byFaild(text), text);
    t.notOk(byEditor(text), text);
  }
});

t.test('of every key it knows the type', async (t) => {
  for (const key of settings.map(fileKey)) {
    if (key === null) continue;
    t.notOk(byFaild(`${key}: {a: 1}\n`), key);
    t.notOk(byEditor(`${key}: {a: 1}\n`), key);
  }
});

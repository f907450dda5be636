// Aim: what is made from the table of settings is in the tree as the table makes it, and the
// example that we ship is right, also when its defaults are said aloud.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';

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

t.test('the example names every key, and each default as it is', async (t) => {
  const aloud = example.replace(/^#([a-z-]+:| {2}- | {4}[a-z])/gm, '$1');
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

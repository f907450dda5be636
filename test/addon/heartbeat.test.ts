// Aim: the addon's codec says of every golden vector what the vector says, and of any bytes what
// the slow oracle says.
import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { type NativeHeartbeat, native } from '../../lib/engine/native.js';
import { expandAddress, readHeartbeat } from '../model/heartbeat.js';

interface Vector {
  name: string;
  fields: Map<string, string[]>;
  bytes: Buffer;
}

function readVectors(): Vector[] {
  const text = readFileSync('test/vectors/heartbeat.txt', 'utf8').replace(/^#.*\n/gm, '');
  const blocks = text.split(/\n\s*\n/).filter((block) => block.includes('vector ='));
  return blocks.map((block) => {
    const fields = new Map<string, string[]>();
    for (const line of block.split('\n').filter((candidate) => candidate.includes('='))) {
      const at = line.indexOf('=');
      const key = line.slice(0, at).trim();
      fields.set(key, [...(fields.get(key) ?? []), line.slice(at + 1).trim()]);
    }
    const bytes = Buffer.from((fields.get('hex') ?? []).join(''), 'hex');
    return { name: fields.get('vector')?.[0] ?? '?', fields, bytes };
  });
}

/** Addresses in one spelling, so that decoders may differ in theirs. */
function spelt(beat: NativeHeartbeat): NativeHeartbeat {
  const lans = beat.lans.map(({ mac, addresses }) => ({
    mac,
    addresses: addresses.map(expandAddress),
  }));
  return { ...beat, lans };
}

/** What a decoder makes of bytes: the fields, or the word of refusal. */
function outcome(decode: (bytes: Buffer) => NativeHeartbeat, bytes: Buffer): unknown {
  try {
    return spelt(decode(bytes));
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const vectors = readVectors();
const good = vectors.filter(({ fields }) => !fields.has('error'));

t.ok(good.length > 0 && vectors.length > good.length, 'there are vectors, good ones and bad ones');

t.test('the addon decodes each vector as the vector says', async (t) => {
  for (const { name, fields, bytes } of vectors) {
    const error = fields.get('error')?.[0];
    if (error !== undefined) {
      t.equal(outcome(native.decodeHeartbeat, bytes), error, name);
      continue;
    }
    const beat = native.decodeHeartbeat(bytes);
    for (const [key, value] of Object.entries(beat)) {
      if (typeof value === 'object') continue;
      t.equal(String(value), fields.get(key)?.[0], `${name}: ${key}`);
    }
    t.same(beat.missing, fields.get('missing') ?? [], `${name}: missing`);
    const lans = fields.get('lan')?.map((line) => line.split(/\s+/).slice(1).map(expandAddress));
    t.same(
      spelt(beat).lans.map((lan) => lan.addresses),
      lans,
      `${name}: addresses`,
    );
  }
});

t.test('the oracle agrees on each vector, and encoding gives its bytes again', async (t) => {
  for (const { name, fields, bytes } of vectors) {
    t.same(outcome(readHeartbeat, bytes), outcome(native.decodeHeartbeat, bytes), name);
    if (fields.has('error') || fields.get('reencodes')?.[0] === 'false') continue;
    const again = native.encodeHeartbeat(native.decodeHeartbeat(bytes));
    t.equal(Buffer.from(again).toString('hex'), bytes.toString('hex'), `${name}: encoded`);
  }
});

t.test('the oracle agrees on damaged vectors', async (t) => {
  const damage = fc.record({
    vector: fc.nat(good.length - 1),
    edits: fc.array(fc.tuple(fc.nat(1399), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
    keep: fc.option(fc.nat(1400), { freq: 4 }),
  });
  fc.assert(
    fc.property(damage, ({ vector, edits, keep }) => {
      const bytes = Buffer.from(good[vector]?.bytes ?? []);
      for (const [at, value] of edits) bytes[at % bytes.length] = value;
      const cut = keep === null ? bytes : bytes.subarray(0, keep);
      deepEqual(outcome(native.decodeHeartbeat, cut), outcome(readHeartbeat, cut));
    }),
    { numRuns: 500 },
  );
  t.pass('fast-check throws with the seed of a counterexample');
});

t.test('what cannot be encoded is refused by name', async (t) => {
  const beat = native.decodeHeartbeat(good[0]?.bytes ?? Buffer.alloc(0));
  const refuses = (change: object, pattern: RegExp) =>
    t.throws(() => native.encodeHeartbeat({ ...beat, ...change }), { message: pattern });
  refuses({ host: '0'.repeat(16) }, /^heartbeat\.host: "0{16}" is not accepted; expected 16 hex/);
  refuses(
    { intervalUs: 49 },
    /^heartbeat\.intervalUs: 49 is not accepted; .* from 50 to 3600000000/,
  );
  refuses({ lans: [] }, /^heartbeat\.lans: a list is not accepted; expected a list of 1 to 8/);
  refuses({ arrivalLan: 1 }, /^heartbeat\.arrivalLan: 1/);
  refuses({ missing: ['xyz'] }, /^heartbeat\.missing\[0\]: "xyz"/);
  refuses({ lans: [{ mac: '01:00:5e:00:00:01', addresses: [] }] }, /^heartbeat\.lans\[0\]\.mac/);
  t.throws(() => native.decodeHeartbeat('text' as never), { message: /^bytes: "text"/ });
});

// The JSON Schema of the configuration file, for editors: made from the table of settings.
// scripts/generate.mjs writes it to docs/faild.schema.json.
import type { JsonSchema, ListInFile, MapInFile, ScalarInFile } from './kinds.js';
import { fallbackShown, fileKey, type Setting, settings } from './settings.js';

export function configSchema(): JsonSchema {
  const properties = settings.flatMap((setting): [string, JsonSchema][] => {
    const key = fileKey(setting);
    return key === null ? [] : [[key, propertyOf(setting)]];
  });
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'faild.yaml',
    description: 'Configuration of faild; every key may be left out.',
    type: ['object', 'null'],
    additionalProperties: false,
    properties: Object.fromEntries(properties),
  };
}

function propertyOf(setting: Setting): JsonSchema {
  const description = `${sentence(setting.help)} Default: ${fallbackShown(setting)}.`;
  const item = itemOf(setting.kind.inFile);
  const { description: accepted, ...schema } = item;
  return setting.repeatable
    ? { description, type: 'array', items: item, ...(setting.most && { maxItems: setting.most }) }
    : { description: `${description} ${accepted}`, ...schema };
}

function itemOf(kind: ScalarInFile | ListInFile | MapInFile): JsonSchema {
  if ('each' in kind) {
    const description = `Give ${kind.accepts}.`;
    return { description, type: 'array', minItems: 1, items: itemOf(kind.each) };
  }
  if (!('fields' in kind)) return { description: `Give ${kind.accepts}.`, ...kind.schema };
  const fields = Object.entries(kind.fields).map(([name, field]) => [name, itemOf(field)]);
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(fields),
    required: [kind.required],
    ...(kind.either.length > 0 && {
      oneOf: kind.either.map((field) => ({ required: [field] })),
    }),
  };
}

function sentence(help: string): string {
  return `${help.charAt(0).toUpperCase()}${help.slice(1)}.`;
}

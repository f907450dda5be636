// Whether an answer is what the schema that it names promises (docs/schemas), and no more: a field
// that the schema does not name is a breach here, though not for users.
import { readFileSync } from 'node:fs';
import { Ajv, type AnySchemaObject, type ValidateFunction } from 'ajv';

const ajv = new Ajv({ allErrors: true, allowUnionTypes: true });
const validators = new Map<string, ValidateFunction>();

/** `of` is an answer of the control socket or of a command's `--json`. */
export function breaches(of: { schema: string }): string[] {
  const validate = validators.get(of.schema) ?? validatorOf(of.schema);
  if (validate(of)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

function validatorOf(id: string): ValidateFunction {
  const text = readFileSync(`docs/schemas/${id.replace('/', '.')}.json`, 'utf8');
  const closed = JSON.parse(text, (_key, value: AnySchemaObject) =>
    value?.type === 'object' && value.properties !== undefined
      ? { ...value, additionalProperties: false }
      : value,
  ) as AnySchemaObject;
  const validate = ajv.compile(closed);
  validators.set(id, validate);
  return validate;
}

// What must not leave the house with a report: the arguments of hooks, what hooks wrote, and
// whatever looks like a password. Pure; used by report.ts.
//
// The configuration goes in as `faild check` shows it, never as text: what stands in a comment or
// behind a quote cannot be told from a secret.

const mask = '***';

/** `password: x`, `"token":"x"`, `api_key=x`, `Authorization: Bearer x`. */
const named =
  /((?:passw(?:or)?d|secret|token|api[-_]?key|authorization)["']?\s*[:=]\s*["']?)(?:(?:bearer|basic)\s+)?[^\s"',]+/gi;
const inUrl = /(\/\/[^/\s:@]+:)[^/\s@]+@/g;

export function redactText(text: string): string {
  return text.replace(named, `$1${mask}`).replace(inUrl, `$1${mask}@`);
}

/** The table of `faild check`, or its faults. */
export function redactConfig(text: string): string {
  const row = /^( {2}hooks +).*?(?= +(?:line \d+|--hook|default)$|$)/gm;
  const fault = /^(.*hooks\[\d+\]\.run[^:]*: ).*$/gm;
  return redactText(text.replace(row, `$1${mask}`).replace(fault, `$1${mask}`));
}

/** JSON lines of the log; what is none goes through as text. */
export function redactLog(text: string): string {
  return text.split('\n').map(redactLine).join('\n');
}

function redactLine(line: string): string {
  try {
    const said = JSON.parse(line) as unknown;
    if (typeof said === 'object' && said !== null)
      return redactText(JSON.stringify(redactRecord(said)));
  } catch {
    // No JSON: from a terminal, or cut off.
  }
  return redactText(line.replace(/(hooks: ).* -> .*/, `$1${mask}`));
}

interface Told {
  msg?: unknown;
  hook?: unknown;
  output?: unknown;
  changes?: unknown;
}

function redactRecord(said: Told): object {
  const { msg, hook, output, changes } = said;
  return {
    ...said,
    // Of a reload: what the hooks were and are.
    ...(typeof msg === 'string' && { msg: msg.replace(/(hooks: ).* -> .*/, `$1${mask}`) }),
    ...(Array.isArray(hook) && { hook: [hook[0], ...hook.slice(1).map(() => mask)] }),
    ...(output !== undefined && { output: mask }),
    ...(Array.isArray(changes) && { changes: changes.map(redactChange) }),
  };
}

function redactChange(change: { key?: unknown }): object {
  return change.key === 'hooks' ? { ...change, from: mask, to: mask } : change;
}

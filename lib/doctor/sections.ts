// The shape that the files of both network managers share: `[section]`, `key=value`. What stands in
// the wrong section does not count, there as here. Read by managers.ts and network-manager.ts.

export interface Section {
  name: string;
  /** Of a key that is said twice, what is said last. */
  values: Map<string, string>;
}

export function sectionsOf(text: string): Section[] {
  const sections: Section[] = [];
  for (const line of text.split('\n')) {
    const [, name] = /^\s*\[(.+)\]\s*$/.exec(line) ?? [];
    if (name !== undefined) sections.push({ name, values: new Map() });
    const [, key, value] = /^\s*([\w-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined) sections.at(-1)?.values.set(key, value ?? '');
  }
  return sections;
}

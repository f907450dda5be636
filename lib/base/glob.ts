// Patterns of names as shells know them: `*` for any characters, `?` for one; all else stands for
// itself.

export function matchesGlob(name: string, pattern: string): boolean {
  const literal = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${literal.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(name);
}

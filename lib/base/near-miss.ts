// `did you mean ...?`: the known word that a misspelt one is nearest to. Pure; used for the keys of
// the configuration file and the options of library callers.

/** Undefined when nothing is near enough to be meant. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const plain = simplify(word);
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(plain, simplify(candidate)) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  const tolerated = Math.max(1, Math.floor(plain.length / 3));
  return best !== undefined && best.distance <= tolerated ? best.candidate : undefined;
}

/** `failAfter`, `fail_after` and `Fail-After` are one word. */
function simplify(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, '').slice(0, 64);
}

/** Letters put in, left out, mistaken or exchanged with their neighbour, from one to the other. */
function editDistance(one: string, other: string): number {
  const rows = [Array.from({ length: other.length + 1 }, (_, at) => at)];
  const distance = (row: number, at: number): number => rows[row]?.[at] ?? Number.MAX_VALUE;
  for (let row = 1; row <= one.length; row++) {
    rows.push([row]);
    for (let at = 1; at <= other.length; at++) {
      const mistaken = one[row - 1] === other[at - 1] ? 0 : 1;
      const exchanged = one[row - 1] === other[at - 2] && one[row - 2] === other[at - 1];
      const ways = [
        distance(row - 1, at - 1) + mistaken,
        distance(row - 1, at) + 1,
        distance(row, at - 1) + 1,
        exchanged ? distance(row - 2, at - 2) + 1 : Number.MAX_VALUE,
      ];
      rows[row]?.push(Math.min(...ways));
    }
  }
  return distance(one.length, other.length);
}

// Tables for terminals: columns as wide as their widest cell. Pure; used by text/status.ts,
// text/view.ts and text/explain.ts.

export type Row = string[];

/** Two blanks between columns, nothing after the last; one that is empty throughout is left out. */
export function align(rows: readonly Row[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => row[at]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, at) => ((widths[at] ?? 0) === 0 ? '' : cell.padEnd((widths[at] ?? 0) + 2)))
      .join('')
      .trimEnd(),
  );
}

/** Formats rows as a Markdown table. The columns in `numbers`, counted from 0, are right-aligned. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numbers: readonly number[] = [],
): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = head.map((_, column) => (numbers.includes(column) ? "--:" : "---"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

/** The beginning of a text. A copy: what `slice` returns would keep all of a long text in memory. */
export function cutText(text: string, length: number): string {
  return text.length > length ? Buffer.from(text.slice(0, length)).toString() : text;
}

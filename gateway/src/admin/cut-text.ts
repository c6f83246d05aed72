/** The beginning of a text, as a copy: the result of `slice` would keep the complete text in memory. */
export function cutText(text: string, length: number): string {
  return text.length > length ? Buffer.from(text.slice(0, length)).toString() : text;
}

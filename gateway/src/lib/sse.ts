/** A server-sent event. The data must be a single line. */
export function dataEvent(data: string): string {
  return `data: ${data}\n\n`;
}

/** A server-sent event with a name. */
export function namedEvent(name: string, data: string): string {
  return `event: ${name}\ndata: ${data}\n\n`;
}

/** A comment, which keeps a connection alive; clients ignore it. */
export function comment(text: string): string {
  return `: ${text}\n\n`;
}

/** An event of a stream of server-sent events. The data is one line. */
export function dataEvent(data: string): string {
  return `data: ${data}\n\n`;
}

/** An event with a name, for APIs that tell their events apart by it. */
export function namedEvent(name: string, data: string): string {
  return `event: ${name}\ndata: ${data}\n\n`;
}

/** Keeps a silent stream open; clients skip it. */
export function comment(text: string): string {
  return `: ${text}\n\n`;
}

/** Returns a function that reads server-sent events until one with the given name has arrived, now or earlier. */
export function eventReader(body: ReadableStream<Uint8Array>): (event: string) => Promise<void> {
  const reader = body.getReader();
  let seen = "";
  return async (event) => {
    while (!seen.includes(`event: ${event}\n`)) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`the stream ended before its event ${event}:\n${seen}`);
      seen += Buffer.from(value).toString();
    }
  };
}

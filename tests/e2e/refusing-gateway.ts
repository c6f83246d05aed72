// A fake gateway that runs in a container behind an edge. It rejects requests without a key, and those to /too-large,
// before it has read their bodies.
import { createServer, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

createServer((request, response) => {
  const { method = "", url = "", headers } = request;
  request.on("error", () => undefined);
  if (url === "/accepting") response.end();
  else if (headers.authorization === undefined) response.writeHead(401).end("no key");
  else if (url === "/too-large") response.writeHead(413).end("too large");
  else if (url === "/stream") request.resume().on("end", () => void stream(response));
  else {
    let bytes = 0;
    request.on("data", (chunk: Buffer) => (bytes += chunk.length));
    request.on("end", () => response.end(JSON.stringify({ method, bytes })));
  }
}).listen(8000);

/** Streams lines for ten seconds. */
async function stream(response: ServerResponse): Promise<void> {
  for (let n = 0; n < 20; n++) {
    response.write(`${String(n)}\n`);
    await sleep(500);
  }
  response.end("end\n");
}

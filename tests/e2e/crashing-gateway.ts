// Runs in a container as two gateways behind an edge. A gateway crashes when it has received a request with the header
// `crash`, and is back after a request for /restore to the other one.
import { createServer } from "node:http";

/** Functions that make crashed gateways listen again. */
const restore: (() => void)[] = [];

/** The gateways that a request has reached, by the request's ID. */
const reached: Record<string, string[]> = {};

function gateway(name: string, port: number): void {
  const server = createServer((request, response) => {
    const { id, crash } = request.headers;
    if (typeof id === "string") (reached[id] ??= []).push(name);
    let bytes = 0;
    request.on("error", () => undefined).on("data", (chunk: Buffer) => (bytes += chunk.length));
    request.on("end", () => {
      if (crash === undefined) {
        if (request.url === "/restore") for (const each of restore.splice(0)) each();
        response.end(JSON.stringify(request.url === "/reached" ? reached : { gateway: name, bytes }));
        return;
      }
      // Breaks all connections, as when the process ends.
      server.close().closeAllConnections();
      restore.push(() => server.listen(port));
    });
  }).listen(port);
}

gateway("first", 8001);
gateway("second", 8002);

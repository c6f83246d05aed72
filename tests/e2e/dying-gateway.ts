// Runs in a container: what an edge takes for two gateways. The first one breaks when it has received a request that
// says so, and is there again when a request to the other one says so.
import { createServer } from "node:http";

/** Has the gateways that broke listen again. */
const restore: (() => void)[] = [];

/** The gateways that a request has reached, by the request's name. */
const reached: Record<string, string[]> = {};

function gateway(name: string, port: number): void {
  const server = createServer((request, response) => {
    const { question, die } = request.headers;
    if (typeof question === "string") (reached[question] ??= []).push(name);
    let bytes = 0;
    request.on("error", () => undefined).on("data", (piece: Buffer) => (bytes += piece.length));
    request.on("end", () => {
      const isFatal = die === "all" || (die === "first" && name === "first");
      if (!isFatal) {
        if (request.url === "/restore") for (const each of restore.splice(0)) each();
        response.end(JSON.stringify(request.url === "/reached" ? reached : { gateway: name, bytes }));
        return;
      }
      // All connections break, as when a process ends.
      server.close().closeAllConnections();
      restore.push(() => server.listen(port));
    });
  }).listen(port);
}

gateway("first", 8001);
gateway("second", 8002);

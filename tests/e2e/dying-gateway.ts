// Runs in a container: what an edge takes for two gateways. The first one dies of a question that says so, at once or
// when it is told to, and comes back after a while.
import { createServer } from "node:http";

/** ms until a gateway that died is there again: the edge looks once in a second. */
const gone = 1500;

/** The gateways that a question has reached, with its whole body or without. */
const reached: Record<string, string[]> = {};

function gateway(name: string, port: number): void {
  let held: () => void = () => undefined;
  const server = createServer((request, response) => {
    const { question, die } = request.headers;
    if (typeof question === "string") (reached[question] ??= []).push(name);
    let bytes = 0;
    request.on("error", () => undefined).on("data", (piece: Buffer) => (bytes += piece.length));
    request.on("end", () => {
      const dies = () => {
        server.close().closeIdleConnections();
        request.socket.destroy();
        setTimeout(() => server.listen(port), gone);
      };
      if (name === "first" && die === "soon") setTimeout(dies, 50);
      else if (name === "first" && die === "told") held = dies;
      else response.end(JSON.stringify(request.url === "/reached" ? reached : { gateway: name, bytes }));
      if (request.url === "/die") held();
    });
  }).listen(port);
}

gateway("first", 8001);
gateway("second", 8002);

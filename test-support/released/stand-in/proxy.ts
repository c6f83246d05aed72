import { createServer } from "node:http";
import { connect } from "node:net";
import type { Journal } from "./journal.ts";
import { knownNames, proxyPort } from "./settings.ts";

/** A proxy as companies have it: CONNECT to what is known, and it finds names that DNS here does not. */
export function serveProxy(address: string, journal: Journal): Promise<void> {
  const server = createServer((request, response) => {
    journal({ kind: "proxy", target: `${request.method ?? ""} ${request.url ?? ""}`, allowed: false });
    response.writeHead(403).end("proxy: only CONNECT is allowed");
  });
  server.on("connect", (request, socket, head) => {
    const target = request.url ?? "";
    const [host = "", port = ""] = target.split(":");
    const allowed = knownNames.has(host);
    journal({ kind: "proxy", target, allowed });
    if (!allowed) {
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
      return;
    }
    const upstream = connect(Number(port), address, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
  });
  return new Promise((resolve) => {
    server.listen(proxyPort, address, resolve);
  });
}

import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { connect as connectTls, createSecureContext, TLSSocket } from "node:tls";
import type { Journal } from "./journal.ts";
import { knownNames, proxyPort } from "./settings.ts";

/** The proxy's certificate for clients and the authority that it trusts when it intercepts TLS. PEM texts. */
interface Inspection {
  readonly certificate: string;
  readonly key: string;
  readonly trusted: string;
}

/** A company's proxy: CONNECT to known hosts only. It also resolves names that the world's DNS does not. */
export function serveProxy(
  address: string,
  inspection: Inspection | undefined,
  journal: Journal,
): Promise<void> {
  const server = createServer((request, response) => {
    journal({ kind: "proxy", target: `${request.method ?? ""} ${request.url ?? ""}`, allowed: false });
    response.writeHead(403).end("proxy: only CONNECT is allowed");
  });
  server.on("connect", (request, socket: Socket, head) => {
    const target = request.url ?? "";
    const [host = "", port = ""] = target.split(":");
    const allowed = knownNames.has(host);
    journal({ kind: "proxy", target, allowed });
    if (!allowed) {
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
      return;
    }
    if (head.length > 0) socket.unshift(head);
    const site = { host: address, port: Number(port) };
    if (inspection === undefined) {
      const upstream = connect(site, () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
      join(socket, upstream);
      return;
    }
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    const secureContext = createSecureContext({ cert: inspection.certificate, key: inspection.key });
    const inside = new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: ["http/1.1"] });
    const upstream = connectTls({ ...site, servername: host, ca: inspection.trusted });
    inside.on("error", ({ message }) => {
      journal({ kind: "error", message: `TLS of the proxy for ${host}: ${message}` });
    });
    join(inside, upstream);
  });
  return new Promise((resolve) => {
    server.listen(proxyPort, address, resolve);
  });
}

/** What one sends, the other gets; both end together. */
function join(one: Socket, other: Socket): void {
  one.pipe(other).pipe(one);
  one.on("error", () => other.destroy());
  other.on("error", () => one.destroy());
}

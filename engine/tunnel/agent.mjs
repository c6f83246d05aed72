// Runs in a container in a stack's network. Its standard input and output form an HTTP/2 connection; every CONNECT on it
// opens a TCP connection from here. Exits at the end of its input.
import { createServer } from "node:http2";
import { connect } from "node:net";
import { Duplex } from "node:stream";

const server = createServer();
server.on("stream", (stream, headers) => {
  const { hostname, port } = new URL(`http://${headers[":authority"]}`);
  const socket = connect({ host: hostname, port: Number(port || 80) });
  socket.once("error", () => {
    if (stream.headersSent) stream.close();
    else stream.respond({ ":status": 502 }, { endStream: true });
  });
  stream.once("error", () => socket.destroy());
  stream.once("close", () => socket.destroy());
  socket.once("connect", () => {
    stream.respond({ ":status": 200 });
    stream.pipe(socket).pipe(stream);
  });
});
process.stdin.once("end", () => process.exit(0));
server.emit("connection", Duplex.from({ readable: process.stdin, writable: process.stdout }));

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const body = '{"model":"m","messages":[]}';
const head = (length: number) =>
  `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

async function openConnection(): Promise<{ socket: Socket; received: () => string }> {
  const { port } = await startGateway(await startFake(), { API_KEYS: newKey("ada", []).line });
  const socket = connect({ host: "127.0.0.1", port });
  onTestFinished(() => {
    socket.destroy();
  });
  let text = "";
  socket.on("data", (piece: Buffer) => (text += piece.toString())).on("error", () => undefined);
  await once(socket, "connect");
  return { socket, received: () => text };
}

const statusesIn = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);

test("keeps the connection open after rejecting a request whose body has arrived", async () => {
  const { socket, received } = await openConnection();
  socket.write(head(body.length) + body);
  await expect.poll(() => statusesIn(received())).toEqual(["401"]);
  expect(received()).not.toMatch(/^connection: close/im);
  socket.write(head(body.length) + body);
  await expect.poll(() => statusesIn(received())).toEqual(["401", "401"]);
});

test("sends Connection: close when it closes the connection after rejecting an incomplete request", async () => {
  const { socket, received } = await openConnection();
  socket.write(head(body.length) + body.slice(0, 5));
  await expect.poll(() => statusesIn(received())).toEqual(["401"]);
  expect(received()).toMatch(/^connection: close/im);
  if (!socket.closed) await once(socket, "close");
});

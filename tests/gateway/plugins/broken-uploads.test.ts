import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { startFake, startGateway, type TestGateway } from "../../../test-support/gateway/gateway-harness.ts";

const path = `/api/blobs/sha256:${"a".repeat(64)}`;
const admin = newKey("root", ["admin"]);

/** Starts an upload and sends only part of its body. */
function beginUpload({ port }: TestGateway) {
  const socket = connect(port, "127.0.0.1");
  let received = "";
  socket.on("data", (piece) => (received += piece.toString())).on("error", () => undefined);
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: localhost\r\nx-api-key: ${admin.key}\r\n` +
      `content-type: application/octet-stream\r\ncontent-length: 1000000\r\n\r\n${"x".repeat(1000)}`,
  );
  onTestFinished(() => void socket.destroy());
  return { socket, received: () => received };
}

describe("logs an incomplete upload with its client's address and keeps serving after", () => {
  test("a client disconnect", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake, { API_KEYS: admin.line });
    const { socket } = beginUpload(gateway);
    await fake.begun(path);
    socket.destroy();
    expect(await gateway.requestLine("/api/blobs/:digest")).toMatchObject({ client_ip: "127.0.0.1" });
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
  });

  test("a connection closed by Ollama", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake, { API_KEYS: admin.line });
    const { received } = beginUpload(gateway);
    await fake.begun(path);
    fake.closeConnections();
    expect(await gateway.requestLine("/api/blobs/:digest")).toMatchObject({ client_ip: "127.0.0.1" });
    await expect.poll(received, { timeout: 45_000 }).toMatch(/^HTTP\/1\.1 50[23] /);
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
  });

  test("a client that stopped sending", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake, { API_KEYS: admin.line, REQUEST_TIMEOUT_MS: "300" });
    const { received } = beginUpload(gateway);
    await fake.begun(path);
    expect(await gateway.requestLine("/api/blobs/:digest")).toMatchObject({
      client_ip: "127.0.0.1",
      error: "request_timeout",
    });
    await expect.poll(received, { timeout: 45_000 }).toMatch(/^HTTP\/1\.1 408 /);
    expect(gateway.log.filter((line) => line.includes('"level":"error"'))).toEqual([]);
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
  });
});

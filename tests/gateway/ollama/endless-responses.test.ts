import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { OllamaClient } from "../../../gateway/src/ollama/client.ts";

// Longer than the test may take: only the length ends a response.
const NEVER = 600_000;

test("endless responses about a server do not fill memory, and it counts as unreachable", async () => {
  const server = createServer((_request, response) => {
    const write = (): void => {
      while (!response.destroyed && response.write(" ".repeat(65_536)));
    };
    response.on("drain", write).on("error", () => undefined);
    write();
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = new OllamaClient(
    { connectMs: NEVER, probeMs: NEVER, responseMs: NEVER, firstTokenMs: NEVER, idleMs: NEVER },
    { host: "127.0.0.1", port },
  );
  onTestFinished(() => client.close());
  const tooLong = { message: "Ollama sent a response that is too long." };
  await expect(client.version()).rejects.toMatchObject({ code: "upstream_unreachable", cause: tooLong });
  const show = { method: "POST", path: "/api/show", model: "m", body: { model: "m" } } as const;
  await expect(client.request(show, new AbortController().signal)).rejects.toMatchObject({
    code: "upstream_failed",
    ...tooLong,
  });
});

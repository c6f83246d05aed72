import { expect, test } from "vitest";
import { FakeOllama, last, token } from "./fake-ollama.ts";
import { errorOf, hello, metric, startFake, startGateway } from "./harness.ts";

const chat = "/v1/chat/completions";
const KIB = 1024;
const long = (kib: number) => ({ model: "m", messages: [{ role: "user", content: "x".repeat(kib * KIB) }] });

async function start(): Promise<{ fake: FakeOllama; gateway: Awaited<ReturnType<typeof startGateway>> }> {
  const fake = await startFake();
  const gateway = await startGateway(fake, {
    BODIES_LIMIT_BYTES: `${256 * KIB}`,
    BODY_LIMIT_BYTES: `${256 * KIB}`,
  });
  return { fake, gateway };
}

/** A body whose length is not told before. */
function chunked(body: unknown): RequestInit {
  const text = JSON.stringify(body);
  const pieces = [text.slice(0, 1000), text.slice(1000)];
  const stream = new ReadableStream({
    pull(controller) {
      const piece = pieces.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(new TextEncoder().encode(piece));
    },
  });
  return { body: stream, duplex: "half" };
}

test.each([
  ["told before", (body: unknown): RequestInit => ({ body: JSON.stringify(body) })],
  ["only seen as it comes", chunked],
])(
  "bodies whose length is %s are refused when there is no room, and small ones are not",
  async (_how, init) => {
    const { fake, gateway } = await start();
    let release: () => void = () => undefined;
    const until = new Promise<void>((resolve) => (release = resolve));
    fake.answers({ until }, token("x"), last());
    const first = gateway.post(chat, long(200), init(long(200)));
    await fake.conversation();
    const refused = await gateway.post(chat, long(150), init(long(150)));
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("2");
    expect(await errorOf(refused)).toMatchObject({ code: "bodies_full", type: "server_error" });
    const small = gateway.post(chat, hello);
    await fake.conversation(1);
    release();
    expect([(await first).status, (await small).status]).toEqual([200, 200]);
    await metric(gateway.url, 'gateway_refusals_total{reason="bodies_full"} 1');
    // What was held is free again.
    expect((await gateway.post(chat, long(200), init(long(200)))).status).toBe(200);
  },
);

test("a body that is too large by itself is told so, not that there is no room", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake, {
    BODIES_LIMIT_BYTES: `${256 * KIB}`,
    BODY_LIMIT_BYTES: `${128 * KIB}`,
  });
  const refused = await gateway.post(chat, long(300));
  expect((await errorOf(refused)).code).toBe("body_too_large");
});

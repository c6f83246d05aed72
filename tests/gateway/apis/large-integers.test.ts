import { expect, test } from "vitest";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const seeds = ["9007199254740993", "-9007199254740993", "9223372036854775807", "-9223372036854775808", "7"];
const conversation = JSON.stringify(hello).slice(1, -1);

const bodies: readonly (readonly [path: string, body: (seed: string) => string, param: string])[] = [
  ["/v1/chat/completions", (seed) => `{${conversation},"seed":${seed}}`, "seed"],
  ["/v1/completions", (seed) => `{"model":"m","prompt":"Hi","seed":${seed}}`, "seed"],
  ["/v1/chatqna", (seed) => `{${conversation},"stream":false,"seed":${seed}}`, "seed"],
  ["/v1/chat/completions", (seed) => `{${conversation},"options":{"seed":${seed}}}`, "options.seed"],
  ["/v1/responses", (seed) => `{"model":"m","input":"Hi","options":{"seed":${seed}}}`, "options.seed"],
  ["/v1/messages", (seed) => `{${conversation},"max_tokens":5,"options":{"seed":${seed}}}`, "options.seed"],
  ["/api/chat", (seed) => `{${conversation},"stream":false,"options":{"seed":${seed}}}`, "options.seed"],
  [
    "/api/generate",
    (seed) => `{"model":"m","prompt":"Hi","stream":false,"options":{"seed":${seed}}}`,
    "options.seed",
  ],
];

test.each(bodies)("POST $0 passes on each 64-bit seed exactly: $2", async (path, body) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  for (const [index, seed] of seeds.entries()) {
    expect((await gateway.post(path, body(seed))).status).toBe(200);
    expect((await fake.conversation(index)).text).toMatch(new RegExp(`"seed":${seed}[,}]`));
  }
});

test.each(bodies)("POST $0 rejects a seed of more than 64 bits and names $2", async (path, body, param) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  for (const seed of ["9223372036854775808", "-9223372036854775809", "1".repeat(60)]) {
    const response = await gateway.post(path, body(seed));
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(`'${param}'`);
  }
  expect(fake.received).toHaveLength(0);
});

test.each(["max_tokens", "num_ctx", "temperature", "keep_alive", "top_logprobs"])(
  "rejects other numbers that a double cannot hold, instead of rounding them: %s",
  async (param) => {
    const gateway = await startGateway(await startFake());
    const response = await gateway.post(
      "/v1/chat/completions",
      `{${conversation},"logprobs":true,"${param}":9007199254740993}`,
    );
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: object };
    expect(error).toMatchObject({
      code: "invalid_value",
      param,
      message: `Invalid value for '${param}': 9007199254740993 is out of range.`,
    });
  },
);

test("passes on integers in a call's arguments and in a schema exactly", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const id = "1234567890123456789";
  const call = `{"id":"a","type":"function","function":{"name":"f","arguments":"{\\"id\\":${id}}"}}`;
  const tool = `{"type":"function","function":{"name":"f","parameters":{"type":"object","default":${id}}}}`;
  const body = `{"model":"m","messages":[{"role":"assistant","tool_calls":[${call}]},{"role":"user","content":"Hi"}],"tools":[${tool}]}`;
  expect((await gateway.post("/v1/chat/completions", body)).status).toBe(200);
  const { text } = await fake.conversation();
  expect(text).toContain(`"arguments":{"id":${id}}`);
  expect(text).toContain(`"default":${id}`);
});

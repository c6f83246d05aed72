import { expect, test } from "vitest";
import { errorOf, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const MIB = 1024 * 1024;
const limits = { BODY_LIMIT_BYTES: `${MIB}`, BODIES_LIMIT_BYTES: `${MIB}` };
const route = "/v1/embeddings";

/** A vector as JSON of about this many bytes. */
function vector(bytes: number): string {
  return `[${"0,".repeat(bytes / 2)}0]`;
}

test("rejects embeddings that alone exceed the memory budget and suggests fewer texts", async () => {
  const fake = await startFake();
  fake.respondWith({ status: 200, body: `{"embeddings":[${vector(2 * MIB)}]}` });
  const gateway = await startGateway(fake, limits);
  const response = await gateway.post(route, { model: "m", input: "a" });
  expect(response.status).toBe(503);
  expect(await errorOf(response)).toMatchObject({
    code: "bodies_full",
    message: expect.stringContaining("Send fewer texts") as string,
  });
});

test("counts embeddings towards the memory budget from their arrival until the client has them", async () => {
  const fake = await startFake();
  let resume: () => void = () => undefined;
  const resumed = new Promise<void>((resolve) => (resume = resolve));
  const large = vector(MIB / 2);
  fake.respondTo(({ model }) =>
    model === "m"
      ? [{ raw: `{"embeddings":[${large}` }, { until: resumed }, { raw: "]}" }]
      : [{ status: 200, body: `{"embeddings":[${large}]}` }],
  );
  fake.models = ["m:latest", "n:latest"];
  const gateway = await startGateway(fake, limits);
  const first = gateway.post(route, { model: "m", input: "a" });
  const second = async (): Promise<number> => {
    const response = await gateway.post(route, { model: "n", input: "a" });
    await response.text();
    return response.status;
  };
  await expect.poll(second, { timeout: 45_000 }).toBe(503);
  resume();
  expect((await first).status).toBe(200);
  await (await first).text();
  await expect.poll(second, { timeout: 45_000 }).toBe(200);
});

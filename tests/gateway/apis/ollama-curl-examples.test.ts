import { describe, expect, test } from "vitest";
import { curlExamples, shapeOfResponse } from "../../../test-support/apis/ollama-curl-examples.ts";
import { last } from "../../../test-support/fakes/ollama/steps.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const examples = curlExamples({ text: "m", vision: "m", embedding: "m" });

describe("the curl examples of Ollama's documentation", () => {
  test.each(examples)("$name gets the same response as from Ollama itself", async (example) => {
    const fake = await startFake();
    fake.models = ["m:latest"];
    fake.capabilities = ["completion", "tools", "vision", "insert"];
    const { url } = await startGateway(fake);
    const ollama = await shapeOfResponse(`http://127.0.0.1:${fake.port}`, example);
    expect(await shapeOfResponse(url, example)).toEqual(ollama);
  });

  test("all options reach Ollama unchanged", async () => {
    const fake = await startFake();
    const { url } = await startGateway(fake);
    const example = examples.find(({ name }) => name === "a prompt with all options");
    if (example === undefined) throw new Error("the example does not exist");
    expect(await shapeOfResponse(url, example)).toMatchObject({ status: 200 });
    const { options } = JSON.parse(example.body ?? "") as { options: object };
    expect((await fake.conversation()).body.options).toEqual(options);
  });

  test("measurements reach the client unchanged", async () => {
    const measured = { total_duration: 9_007_199_254, prompt_eval_count: 7, eval_count: 0, eval_duration: 1 };
    const fake = await startFake();
    const { url } = await startGateway(fake);
    fake.respondWith(last({ message: { role: "assistant", content: "" }, ...measured }));
    const response = await fetch(`${url}/api/chat`, {
      method: "POST",
      body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "x" }] }),
    });
    expect(JSON.parse(await response.text())).toMatchObject(measured);
  });
});

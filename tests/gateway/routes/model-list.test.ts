import { expect, test } from "vitest";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

test.each(["/v1/models", "/api/tags"])("%s lists the current models on each request", async (path) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const listModels = async () => {
    const text = await (await fetch(`${gateway.url}${path}`)).text();
    return ["m:latest", "new:1b"].filter((name) => text.includes(`"${name}"`));
  };
  expect(await listModels()).toEqual(["m:latest"]);
  fake.models = ["m:latest", "new:1b"];
  expect(await listModels()).toEqual(["m:latest", "new:1b"]);
  fake.models = ["new:1b"];
  expect(await listModels()).toEqual(["new:1b"]);
});

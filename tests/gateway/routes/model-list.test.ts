import { expect, test } from "vitest";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

test.each(["/v1/models", "/api/tags"])(
  "%s lists what is there now, each time that it is asked",
  async (path) => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const listed = async () => {
      const text = await (await fetch(`${gateway.url}${path}`)).text();
      return ["m:latest", "new:1b"].filter((name) => text.includes(`"${name}"`));
    };
    expect(await listed()).toEqual(["m:latest"]);
    fake.models = ["m:latest", "new:1b"];
    expect(await listed()).toEqual(["m:latest", "new:1b"]);
    fake.models = ["new:1b"];
    expect(await listed()).toEqual(["new:1b"]);
  },
);

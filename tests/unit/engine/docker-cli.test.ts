import { afterAll, afterEach, expect, test } from "vitest";
import { docker } from "../../../engine/docker-cli.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const client = new FakeDocker();
afterEach(() => {
  client.mock({});
});
afterAll(() => {
  client.remove();
});

test.each([
  "Error response from daemon: client version 1.50 is too new. Maximum supported API version is 1.41",
  "error during connect: command [ssh ...] has exited with exit status 255: kex_exchange_identification: read: reset",
])("retries a command whose connection the ssh server dropped: %s", async (fails) => {
  client.mock({ "image ls": { fails, then: "an image" } });
  expect(await docker(["image", "ls"])).toBe("an image");
  expect(client.calls).toEqual(["image ls", "image ls"]);
});

test("does not retry a command that the engine rejected", async () => {
  client.mock({ "volume rm": { fails: "volume is in use", then: "removed" } });
  await expect(docker(["volume", "rm", "v"])).rejects.toThrow("docker volume failed: volume is in use");
  expect(client.calls).toEqual(["volume rm v"]);
});

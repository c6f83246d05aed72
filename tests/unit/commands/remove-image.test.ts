import { spawnSync } from "node:child_process";
import { afterAll, expect, it } from "vitest";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const docker = new FakeDocker();
afterAll(() => {
  docker.remove();
});

it.each([
  ["does not exist", "Error: No such image: x", "x did not exist"],
  [
    "has a name that Docker does not accept",
    "Error response from daemon: invalid reference format: repository name must be lowercase",
    "x did not exist",
  ],
  ["is in use", "Error response from daemon: conflict: unable to remove", "x stays: a container uses it"],
])("succeeds if the image %s, so that the stack can be destroyed", (_what, fails, expected) => {
  docker.mock({ "image rm x": { fails } });
  const { status, stdout } = spawnSync(process.execPath, ["components/commands/remove-image.ts"], {
    encoding: "utf8",
    env: { ...process.env, IMAGE: "x" },
  });
  expect([status, stdout.trim()]).toEqual([0, expected]);
});

it("fails with the engine's reason for any other error", () => {
  docker.mock({ "image rm x": { fails: "Error response from daemon: disk error" } });
  const { status, stderr } = spawnSync(process.execPath, ["components/commands/remove-image.ts"], {
    encoding: "utf8",
    env: { ...process.env, IMAGE: "x" },
  });
  expect([status, stderr.trim()]).toEqual([1, expect.stringContaining("disk error")]);
});

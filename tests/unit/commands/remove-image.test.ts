import { spawnSync } from "node:child_process";
import { afterAll, expect, it } from "vitest";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const docker = new FakeDocker();
afterAll(() => {
  docker.remove();
});

it.each([
  ["is gone", "Error: No such image: x", "x did not exist"],
  [
    "could never be made, of a stack whose name Docker does not take",
    "Error response from daemon: invalid reference format: repository name must be lowercase",
    "x did not exist",
  ],
  ["is in use", "Error response from daemon: conflict: unable to remove", "x stays: a container uses it"],
])("an image that %s keeps no stack from being destroyed", (_what, fails, expected) => {
  docker.mock({ "image rm x": { fails } });
  const { status, stdout } = spawnSync(process.execPath, ["components/commands/remove-image.ts"], {
    encoding: "utf8",
    env: { ...process.env, IMAGE: "x" },
  });
  expect([status, stdout.trim()]).toEqual([0, expected]);
});

it("an image that the engine does not remove for another reason fails, with the reason", () => {
  docker.mock({ "image rm x": { fails: "Error response from daemon: disk error" } });
  const { status, stderr } = spawnSync(process.execPath, ["components/commands/remove-image.ts"], {
    encoding: "utf8",
    env: { ...process.env, IMAGE: "x" },
  });
  expect([status, stderr.trim()]).toEqual([1, expect.stringContaining("disk error")]);
});

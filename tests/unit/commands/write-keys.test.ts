import { spawnSync } from "node:child_process";
import { afterAll, expect, it } from "vitest";
import { appliedKeys, appliedKeysVariable } from "../../../components/config/applied-keys.ts";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const docker = new FakeDocker();
afterAll(() => {
  docker.remove();
});

const environment = {
  ...process.env,
  KEYS_VOLUME: "keys",
  KEYS_FILE: "api-keys",
  KEYS_IMAGE: "node",
  KEYS_GATEWAYS: "gateway",
};
const lines = `${newKey("ada", []).line}\n`;

/** What the engine is asked for when keys are written that are said to be applied. */
function callsFor(applied: string): string[] {
  docker.tell({ "run --rm": "", "container inspect": { fails: "Error: No such container: gateway" } });
  const { status, stderr } = spawnSync(process.execPath, ["components/commands/write-keys.ts"], {
    encoding: "utf8",
    input: lines,
    env: { ...environment, [appliedKeysVariable]: applied },
  });
  expect([status, stderr]).toEqual([0, ""]);
  // The program that runs in a container is among the arguments, with lines of its own.
  return docker.calls.flatMap((line) => /^(run --rm|container inspect) /.exec(line)?.[1] ?? []);
}

it("keys that the gateways have just taken are not written again", () => {
  expect(callsFor(appliedKeys(environment, lines))).toEqual([]);
});

it.each([
  ["nothing", ""],
  ["other keys", appliedKeys(environment, `${newKey("eve", []).line}\n`)],
  ["other gateways", appliedKeys({ ...environment, KEYS_GATEWAYS: "gateway,gateway-2" }, lines)],
  ["another engine", appliedKeys({ ...environment, DOCKER_HOST: "tcp://elsewhere:2376" }, lines)],
])("keys are written where %s was applied", (_what, applied) => {
  expect(callsFor(applied)).toEqual(["run --rm", "container inspect"]);
});

import { spawnSync } from "node:child_process";
import { afterAll, describe, expect, it } from "vitest";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const docker = new FakeDocker();
afterAll(() => {
  docker.remove();
});

const inspected = (id: string) =>
  [JSON.stringify({ Status: "running", ExitCode: 0, OOMKilled: false, StartedAt: "" }), 0, 0, "", id].join(
    "\n",
  );

/** Runs the command for the container "x" with an id in the state, and returns its calls of `docker exec`. */
function drain(id: string | undefined, environment: NodeJS.ProcessEnv) {
  docker.mock({ "container inspect": inspected("new"), exec: "" });
  const { status, stderr } = spawnSync(process.execPath, ["components/commands/drain.ts"], {
    encoding: "utf8",
    env: {
      ...process.env,
      CONTAINER_NAME: "x",
      DRAIN_EDGE: "edge",
      DRAIN_TIMEOUT_SECONDS: "7",
      ...(id === undefined ? {} : { CONTAINER_ID: id }),
      ...environment,
    },
  });
  expect(status, stderr).toBe(0);
  return docker.calls.filter((call) => call.startsWith("exec"));
}

describe.each([
  ["a gateway", {}, ["exec x node /app/control.cjs drain 7"]],
  [
    "an Ollama server",
    { DRAIN_SERVER: "ollama:11434", DRAIN_GATEWAYS: "gateway" },
    ["exec gateway node /app/control.cjs drain ollama:11434 7"],
  ],
])("%s", (_what, environment, drained) => {
  it("is drained before it is replaced, also by a state without its id", () => {
    expect(drain("new", environment)).toEqual(drained);
    expect(drain(undefined, environment)).toEqual(drained);
  });

  it("is not drained if it was created after the one to drain had been removed by hand", () => {
    expect(drain("old", environment)).toEqual([]);
  });
});

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

/** Runs a command for the container "x", and returns its calls of `docker exec`. */
function run(name: "drain" | "await-container", environment: NodeJS.ProcessEnv) {
  docker.mock({ "container inspect": inspected("new"), "container update": "", exec: "" });
  const { status, stderr } = spawnSync(process.execPath, [`components/commands/${name}.ts`], {
    encoding: "utf8",
    env: {
      ...process.env,
      CONTAINER_NAME: "x",
      DRAIN_EDGE: "edge",
      DRAIN_TIMEOUT_SECONDS: "7",
      READY_COMMAND: '["ready"]',
      READY_TIMEOUT_SECONDS: "20",
      PIDS_LIMIT: "99",
      ...environment,
    },
  });
  expect(status, stderr).toBe(0);
  return docker.calls.filter((call) => call.startsWith("exec"));
}

describe.each([
  ["a gateway", {}, ["exec x node /app/control.cjs drain 7"], "exec x node /app/control.cjs return"],
  [
    "an Ollama server",
    { DRAIN_SERVER: "ollama:11434", DRAIN_GATEWAYS: "gateway" },
    ["exec gateway node /app/control.cjs drain ollama:11434 7"],
    "exec gateway node /app/control.cjs return ollama:11434",
  ],
])("%s", (_what, environment, drained, returned) => {
  it("is drained before it is replaced, also by a state without its id", () => {
    expect(run("drain", { ...environment, CONTAINER_ID: "new" })).toEqual(drained);
    expect(run("drain", environment)).toEqual(drained);
  });

  it("is not drained if it was created after the one to drain had been removed by hand", () => {
    expect(run("drain", { ...environment, CONTAINER_ID: "old" })).toEqual([]);
  });

  it("returns to service when it is ready, in case a drain of it was interrupted", () => {
    expect(run("await-container", environment)).toContain(returned);
  });
});

import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { control } from "../../../components/commands/lib/gateway-control.ts";
import { probeCommand, NotReady, waitUntilReady } from "../../../components/commands/lib/readiness.ts";
import { EngineTimeout, docker as client } from "../../../engine/docker-cli.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

// The messages about a container that the engine restarts between two checks.

let docker: FakeDocker;
beforeAll(() => (docker = new FakeDocker()));
afterAll(() => {
  docker.remove();
});
const errorLog = vi.spyOn(console, "error").mockImplementation(() => undefined);
afterEach(() => errorLog.mockClear());

function inspectOutput(restarts: number): string {
  const state = { Status: "running", ExitCode: 0, OOMKilled: false, StartedAt: "2026-01-01T00:00:09Z" };
  return `${JSON.stringify(state)}\n${String(restarts)}\n134217728\n2026-01-01T00:00:00Z\n`;
}

/** Returns the message about a container that restarted after the first check, with this output of docker events. */
async function messageAfterRestart(events: string | { fails: string }, container = "gate"): Promise<string> {
  docker.mock({ "container inspect": inspectOutput(0) });
  const restart = () => {
    docker.mock({ "container inspect": inspectOutput(1), events, "container logs": "" });
    return Promise.resolve({ ready: false, detail: "not yet" });
  };
  const wait = waitUntilReady({ container, timeoutSeconds: 5, pids: "100" }, restart);
  await expect(wait).rejects.toThrow(NotReady);
  return String(errorLog.mock.lastCall?.[0]);
}

test.each([
  [
    "was killed for lack of memory",
    "oom \ndie 137\n",
    /^Container gate was killed because it needs more memory than 128 MiB; raise its limit: /,
  ],
  [
    "was killed for lack of memory, with the oom event after the die event",
    "die 137\noom \n",
    /^Container gate was killed because it needs more memory /,
  ],
  [
    "crashed after an earlier kill for lack of memory",
    "oom \ndie 137\ndie 3\n",
    /^Container gate crashed with code 3 and was restarted\./,
  ],
  ["crashed, if the engine no longer has the events", "", /^Container gate crashed and was restarted\./],
  [
    "crashed, if the engine cannot list its events",
    { fails: "no" },
    /^Container gate crashed and was restarted\./,
  ],
])("reports that a container %s", async (_how, events, line) => {
  expect(await messageAfterRestart(events)).toMatch(line);
  expect(docker.calls).toContainEqual(
    expect.stringMatching(
      /^events --since 2026-01-01T00:00:00Z --until 2026-01-01T00:00:09Z --filter container=gate /,
    ),
  );
});

test.each([
  ["ollama-stack-dev-ollama-2", "ollamaMemoryMiB"],
  ["ollama-stack-dev-gateway", "gatewayMemoryMiB"],
  ["ollama-stack-ollama-edge", "edgeMemoryMiB"],
  ["ollama-stack-dev-prometheus", "prometheusMemoryMiB"],
])("names the limit of %s that must be raised", async (container, key) => {
  expect(await messageAfterRestart("oom \ndie 137\n", container)).toContain(`raise its limit: ${key}.\n`);
});

test("reports that the limit of processes of a ready container cannot be set", async () => {
  docker.mock({ "container inspect": inspectOutput(0), "container update": { fails: "no\ncgroup" } });
  const wait = waitUntilReady({ container: "gate", timeoutSeconds: 5, pids: "100" }, () =>
    Promise.resolve({ ready: true, detail: "" }),
  );
  await expect(wait).rejects.toThrow(NotReady);
  expect(errorLog.mock.calls).toEqual([
    [
      "Container gate is ready, but its limit of 100 processes cannot be set: docker container failed: no cgroup",
    ],
  ]);
});

// Some engines never end an exec in a container that crashes at that moment. Without a timeout the update would hang.

test("times out a docker command that does not end", async () => {
  docker.mock({ version: { hangs: true } });
  const command = client(["version"], { withinMs: 300 });
  await expect(command).rejects.toThrow(new EngineTimeout("docker version did not finish within 0.3 s"));
});

test("reports a container that is not ready in time although an exec never ends", async () => {
  docker.mock({
    "container inspect": inspectOutput(0),
    exec: { hangs: true },
    "container logs": { fails: "no" },
  });
  const wait = waitUntilReady({ container: "gate", timeoutSeconds: 1, pids: "100" }, () =>
    probeCommand("gate", ["healthy"], 300),
  );
  await expect(wait).rejects.toThrow(NotReady);
  expect(errorLog.mock.lastCall?.[0]).toBe(
    [
      "Container gate is not ready after 1 s (readyTimeoutSeconds): healthy: docker exec did not finish within 0.3 s.",
      "Its log cannot be read: docker container failed: no.",
    ].join("\n"),
  );
});

test("logs a control command that never ends and does not wait for it", async () => {
  docker.mock({ "container inspect": inspectOutput(0), exec: { hangs: true } });
  await control("gate", ["drain", "1"], 300);
  expect(errorLog.mock.lastCall?.[0]).toBe("gate: drain 1 failed: docker exec did not finish within 0.3 s");
});

test("prints the output of a control command and that it failed", async () => {
  docker.mock({ "container inspect": inspectOutput(0), exec: { fails: "one\ntwo\n" } });
  await control("gate", ["drain", "1"], 5000);
  expect(errorLog.mock.calls).toEqual([["gate: one"], ["gate: two"], ["gate: drain 1 failed"]]);
});

test("does not report that a gateway does not have the server, which an update of their number causes", async () => {
  const fails = "ollama-2:11434 is not a backend of this gateway; it has ollama:11434\n";
  docker.mock({ "container inspect": inspectOutput(0), exec: { fails } });
  await control("gate", ["return", "ollama-2:11434"], 5000);
  expect(errorLog.mock.calls).toEqual([]);
});

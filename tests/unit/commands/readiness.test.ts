import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { control } from "../../../components/commands/lib/gateway-control.ts";
import { probeCommand, NotReady, waitUntilReady } from "../../../components/commands/lib/readiness.ts";
import { EngineTimeout, docker as client } from "../../../engine/docker-cli.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

// What is said of a container that the engine has started again by the time that it is looked at.

let docker: FakeDocker;
beforeAll(() => (docker = new FakeDocker()));
afterAll(() => {
  docker.remove();
});
const said = vi.spyOn(console, "error").mockImplementation(() => undefined);
afterEach(() => said.mockClear());

function inspected(restarts: number): string {
  const state = { Status: "running", ExitCode: 0, OOMKilled: false, StartedAt: "2026-01-01T00:00:09Z" };
  return `${JSON.stringify(state)}\n${String(restarts)}\n134217728\n2026-01-01T00:00:00Z\n`;
}

/** What is said when it was restarted after the first look; the engine tells of its events. */
async function afterRestart(events: string | { fails: string }): Promise<string> {
  docker.mock({ "container inspect": inspected(0) });
  const restart = () => {
    docker.mock({ "container inspect": inspected(1), events, "container logs": "" });
    return Promise.resolve({ ready: false, detail: "not yet" });
  };
  const wait = waitUntilReady({ container: "gate", timeoutSeconds: 5, pids: "100" }, restart);
  await expect(wait).rejects.toThrow(NotReady);
  return String(said.mock.lastCall?.[0]);
}

test.each([
  [
    "for want of memory",
    "oom \ndie 137\n",
    /^Container gate was killed because it needs more memory than 128 MiB; raise its limit: /,
  ],
  [
    "for want of memory, told after it",
    "die 137\noom \n",
    /^Container gate was killed because it needs more memory /,
  ],
  ["by itself", "oom \ndie 137\ndie 3\n", /^Container gate crashed with code 3 and was restarted\./],
  ["in a way that the engine has forgotten", "", /^Container gate crashed and was restarted\./],
  ["in a way that the engine does not tell", { fails: "no" }, /^Container gate crashed and was restarted\./],
])("that it ended %s", async (_how, events, line) => {
  expect(await afterRestart(events)).toMatch(line);
  expect(docker.calls).toContainEqual(
    expect.stringMatching(
      /^events --since 2026-01-01T00:00:00Z --until 2026-01-01T00:00:09Z --filter container=gate /,
    ),
  );
});

// Engines are known to never end an exec in a container that crashes just then: an update would wait for ever.

test("a client of Docker that does not end is given up", async () => {
  docker.mock({ version: { hangs: true } });
  const asked = client(["version"], { withinMs: 300 });
  await expect(asked).rejects.toThrow(new EngineTimeout("docker version did not finish within 0.3 s"));
});

test("an exec that never ends costs readiness neither its word nor its time", async () => {
  docker.mock({
    "container inspect": inspected(0),
    exec: { hangs: true },
    "container logs": { fails: "no" },
  });
  const wait = waitUntilReady({ container: "gate", timeoutSeconds: 1, pids: "100" }, () =>
    probeCommand("gate", ["healthy"], 300),
  );
  await expect(wait).rejects.toThrow(NotReady);
  expect(said.mock.lastCall?.[0]).toBe(
    [
      "Container gate is not ready after 1 s (readyTimeoutSeconds): healthy: docker exec did not finish within 0.3 s.",
      "Its log cannot be read: docker container failed: no.",
    ].join("\n"),
  );
});

test("a gateway that never ends what it was asked for is told of, and not waited for", async () => {
  docker.mock({ "container inspect": inspected(0), exec: { hangs: true } });
  await control("gate", ["drain", "1"], 300);
  expect(said.mock.lastCall?.[0]).toBe("gate: drain 1 failed: docker exec did not finish within 0.3 s");
});

test("what a gateway says is passed on, and that it failed", async () => {
  docker.mock({ "container inspect": inspected(0), exec: { fails: "one\ntwo\n" } });
  await control("gate", ["drain", "1"], 5000);
  expect(said.mock.calls).toEqual([["gate: one"], ["gate: two"], ["gate: drain 1 failed"]]);
});

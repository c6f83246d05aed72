import { afterAll, describe, expect, it, vi } from "vitest";
import { isRunning } from "../../../host/process-liveness.mjs";
import { containerLog } from "../../../scripts/observe/container-logs.ts";
import { followLogs, type LogSource } from "../../../scripts/observe/merged-logs.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const docker = new FakeDocker();
afterAll(() => {
  docker.remove();
});

/** A log that is empty at first, then followed by a shell script. */
function shellLog(script: string): LogSource {
  const command = (_options: unknown, isFollowed: boolean) =>
    ["sh", ["-c", isFollowed ? script : ":"]] as const;
  return { name: "shell", component: "shell", command, isEmpty: () => false };
}

/** Follows logs until `end` is called. */
function follow(sources: readonly LogSource[]) {
  const shown: string[] = [];
  const aborter = new AbortController();
  const list = () => Promise.resolve(sources);
  const done = followLogs(list, { tail: "100" }, ({ message }) => shown.push(message), aborter.signal);
  const end = async () => {
    aborter.abort();
    await done;
  };
  return { shown, end };
}

describe("npm run logs -- --follow", () => {
  const show = () => undefined;

  it("continues after a container restarts, and shows each line once", async () => {
    const lines = "2026-11-28T10:00:01Z one\n2026-11-28T10:00:02Z two\n";
    docker.mock({
      "container logs --timestamps --tail 100 ollama-stack-dev-ollama": lines,
      "container logs --timestamps --tail all --since 2026-11-28T10:00:02Z --follow": {
        fails: "Error response from daemon: No such container: ollama-stack-dev-ollama",
        then: `${lines}2026-11-28T10:00:03Z three\n`,
      },
      "container logs --timestamps --tail all --since 2026-11-28T10:00:03Z --follow":
        "2026-11-28T10:00:03Z three\n2026-11-28T10:00:04Z not ended",
      "container logs --timestamps --tail all --since 2026-11-28T10:00:04Z --follow": "",
    });
    const follower = follow([containerLog({ name: "ollama-stack-dev-ollama", component: "ollama" })]);
    await expect.poll(() => follower.shown, { timeout: 30_000 }).toContain("not ended");
    await follower.end();
    expect(follower.shown).toEqual(["one", "two", "three", "not ended"]);
  });

  it("shows each line of a container whose outputs arrive out of order", async () => {
    const script =
      'printf "2026-11-28T10:00:02Z newer\\n"; sleep 0.3; printf "2026-11-28T10:00:01Z older\\n" >&2; exit 0';
    const follower = follow([shellLog(script)]);
    await expect.poll(() => follower.shown, { timeout: 10_000 }).toHaveLength(2);
    await follower.end();
    expect(follower.shown.toSorted()).toEqual(["newer", "older"]);
  });

  it("ends with the error of a log that cannot be read at first", async () => {
    const error = 'invalid value for "since": failed to parse value as time or duration: "nonsense"';
    docker.mock({ "container logs": { fails: error } });
    const one = containerLog({ name: "ollama-stack-dev-edge", component: "edge" });
    const list = () => Promise.resolve([one]);
    await expect(followLogs(list, { tail: "1", since: "nonsense" }, show)).rejects.toThrow(error);
  });

  it("ends with the error of a command that cannot be started any more", async () => {
    const one: LogSource = {
      ...shellLog(""),
      command: (_options, isFollowed) => [isFollowed ? "/no/such/program" : "true", []],
    };
    await expect(followLogs(() => Promise.resolve([one]), { tail: "1" }, show)).rejects.toThrow("ENOENT");
  });

  it("ends with the error of the list, and ends what it follows", async () => {
    const shown: string[] = [];
    const list = vi
      .fn<() => Promise<LogSource[]>>()
      .mockResolvedValueOnce([shellLog('echo "2026-11-28T10:00:01Z pid $$"; exec sleep 600')])
      .mockRejectedValue(new Error("The cluster does not respond."));
    const following = followLogs(list, { tail: "1" }, ({ message }) => shown.push(message));
    await expect(following).rejects.toThrow("The cluster does not respond.");
    const [, pid] = /^pid (\d+)$/.exec(shown.join()) ?? [];
    expect(pid).toBeDefined();
    await expect.poll(() => isRunning(Number(pid))).toBe(false);
  });
});

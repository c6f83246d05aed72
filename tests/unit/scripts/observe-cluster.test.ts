import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { Kubectl } from "../../../cluster/kubectl.ts";
import { parseLogLine } from "../../../scripts/observe/log-line.ts";
import { followLogs, readLogs } from "../../../scripts/observe/merged-logs.ts";
import { podLogs } from "../../../scripts/observe/pod-logs.ts";
import { podStates } from "../../../scripts/observe/pod-states.ts";
import { formatStatus } from "../../../scripts/observe/status.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const program = new FakeDocker("kubectl");
afterAll(() => {
  program.remove();
});
const kubectl = new Kubectl({ kubeconfig: "", context: "", namespace: "llm" });
const pods = readFileSync("tests/unit/cluster/recorded/pods.json", "utf8");
const list = { "--namespace=llm get pods --output=json": pods };
const gateway = "gateway-57bc85f786-nvv6f";

describe("npm run logs of a stack on Kubernetes", () => {
  const log = (pod: string, container: string) => `--namespace=llm logs ${pod} --container=${container}`;

  it("shows the lines of all containers by time, and none of one that has not started", async () => {
    program.mock({
      ...list,
      [log("ollama-0", "ollama")]:
        "2026-11-28T21:00:15.105510375Z time=2026-11-28T21:00:15Z level=ERROR msg=third\n",
      [log("ollama-0", "models")]: {
        fails:
          'Error from server (BadRequest): container "models" in pod "ollama-0" is waiting to start: PodInitializing',
      },
      [log(gateway, "gateway")]:
        '2026-11-28T21:00:03.116538732Z {"level":"info","msg":"first"}\n2026-11-28T21:00:04.1Z {"level":"info","msg":"second"}\n',
    });
    const lines = await readLogs(await podLogs(kubectl), { tail: "all", since: "10m" });
    expect(lines.map(({ component, message }) => [component, message])).toEqual([
      [gateway, "first"],
      [gateway, "second"],
      ["ollama-0", "third"],
    ]);
    expect(program.calls).toContain(`${log("ollama-0", "models")} --timestamps --tail=-1 --since=10m`);
  });

  it.each([
    ["2026-11-28T10:00:00.123456789Z", "--since-time=2026-11-28T10:00:00.123456789Z"],
    ["2026-11-28T10:00:00+01:00", "--since-time=2026-11-28T09:00:00.000Z"],
    ["1795860000", "--since-time=2026-11-28T10:00:00.000Z"],
  ])("converts --since %s to an option of kubectl", async (since, option) => {
    program.mock(list);
    const [source] = await podLogs(kubectl);
    expect(source?.command({ tail: "5", since }, true)[1]).toEqual(
      expect.arrayContaining(["--tail=5", option, "--follow"]),
    );
  });

  it("rejects an invalid time", async () => {
    program.mock(list);
    const selection = { tail: "5", since: "yesterday" };
    const error = "--since is yesterday, but must be a duration such as 10m";
    await expect(readLogs(await podLogs(kubectl), selection)).rejects.toThrow(error);
    await expect(
      followLogs(
        () => podLogs(kubectl),
        selection,
        () => undefined,
      ),
    ).rejects.toThrow(error);
  });

  it.each([
    ["2026-11-28T22:00:15.105510375+01:00", "2026-11-28T21:00:15.105510375Z"],
    ["2026-11-28T23:30:15-03:30", "2026-11-29T03:00:15Z"],
    ["2026-99-99T22:00:15+01:00", "2026-99-99T22:00:15+01:00"],
  ])("converts the time %s of a node in another time zone, with all its digits", (time, at) => {
    expect(parseLogLine("ollama-0", `${time} hello`)).toMatchObject({ at, message: "hello" });
  });
});

describe("npm run status of a stack on Kubernetes", () => {
  it.each([
    ["up", "shared state is up"],
    ["away", "shared state is away, it continues with its share of slots and limits"],
    ["active", "active: it gets all requests"],
    ["standby", "stands by"],
    ["", undefined],
  ])("shows the role of a gateway that prints %j", async (role, note) => {
    const exec = `--namespace=llm exec ${gateway} --container=gateway`;
    const complete = { version: "1", complete: true, line: "", models: [] };
    program.mock({
      ...list,
      "--namespace=llm exec ollama-0 --container=models": JSON.stringify(complete),
      [exec]: `${role}\n`,
    });
    const [first] = await podStates(kubectl, { hasSeveralGateways: true });
    expect(first).toMatchObject({ component: gateway, health: "ready" });
    expect(first?.note).toBe(note);
    expect(program.calls.filter((call) => call.startsWith(exec))).toHaveLength(1);
  });

  it("shows each pod with its node and the progress of its models", async () => {
    const state = { version: "1", complete: false, line: "b179c9523d0e: 55 % of 98.4 MB", models: [] };
    program.mock({ ...list, "--namespace=llm exec ollama-0 --container=models": JSON.stringify(state) });
    const containers = await podStates(kubectl);
    const status = { stack: "lab", gatewayUrl: "http://gateway.llm.svc:8000", containers };
    const text = formatStatus(
      { ...status, queue: "no pod runs", loadedModels: "no pod runs", lastErrors: [] },
      Date.parse("2026-11-28T21:05:02Z"),
    );
    expect(text.split("\n").map((line) => line.trimEnd())).toEqual([
      "stack lab                  STATE     HEALTH   RESTARTS   SINCE   NODE",
      `${gateway}   running   ready    0          5 min   n2`,
      "ollama-0                   running   ready    0          5 min   n1",
      "ollama-0: b179c9523d0e: 55 % of 98.4 MB",
      "",
      "gateway: http://gateway.llm.svc:8000/v1",
      "requests: not known (no pod runs)",
      "loaded models: not known (no pod runs)",
      "errors in the last 24 hours: none",
    ]);
  });
});

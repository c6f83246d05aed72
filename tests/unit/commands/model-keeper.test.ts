import { describe, expect, it } from "vitest";
import { connectionsTo } from "../../../components/commands/model-keeper/drain.ts";
import { gpuReport } from "../../../components/commands/model-keeper/gpu-report.ts";
import type { Pod, Rollout } from "../../../components/commands/model-keeper/pods.ts";
import { isFinished, RolloutWatch } from "../../../components/commands/model-keeper/rollout.ts";

// Lines of /proc/net/tcp and tcp6: port 11434 is 2CAA, state 01 an established connection, 0A a listening socket.
const header = "  sl  local_address rem_address   st tx_queue rx_queue";
const line = (local: string, remote: string, state: string) =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:0`;
const pod4 = "0A01F40A:2CAA";
const pod6 = "0000000000000000FFFF00000A01F40A:2CAA";

describe("connections that delay the stop of Ollama", () => {
  it("are those of other hosts to its port", () => {
    const table = [
      header,
      line(pod4, "0B01F40A:C001", "01"),
      line(pod6, "0000000000000000FFFF00000B01F40A:C002", "01"),
    ].join("\n");
    expect([...connectionsTo(11434, table)]).toEqual([
      "0B01F40A:C001",
      "0000000000000000FFFF00000B01F40A:C002",
    ]);
  });

  it("exclude listening sockets, closed connections, other ports and the pod itself", () => {
    const table = [
      header,
      line("00000000:2CAA", "00000000:0000", "0A"),
      line(pod4, "0B01F40A:C001", "06"),
      line("0A01F40A:1F9A", "0B01F40A:C001", "01"),
      line("0B01F40A:C001", "0A01F40A:2CAA", "01"),
      line("0100007F:2CAA", "0100007F:C003", "01"),
      line("0000000000000000FFFF00000100007F:2CAA", "0000000000000000FFFF00000100007F:C004", "01"),
      line("00000000000000000000000001000000:2CAA", "00000000000000000000000001000000:C005", "01"),
    ].join("\n");
    expect(connectionsTo(11434, table).size).toBe(0);
  });
});

const version = "abc";
const complete = { version, complete: true, line: "tiny:1b is there", models: [] };
const pod = (name: string, change: Partial<Pod> = {}): Pod => ({
  name,
  isUpdated: true,
  isReady: true,
  waiting: undefined,
  startStep: undefined,
  state: complete,
  ...change,
});
const rollout = (...pods: Pod[]): Rollout => ({ replicas: 2, isObserved: true, pods, terminating: [] });
const limits = { readyMs: 120_000, stopMs: 315_000 };
const progressOf = (state: Rollout) => new RolloutWatch(version, limits).observe(state);

describe("the wait for Ollama's pods", () => {
  it("ends when each pod is up to date and has its models", () => {
    expect(isFinished(rollout(pod("ollama-0"), pod("ollama-1")), version)).toBe(true);
  });

  it.each([
    ["a pod is missing", rollout(pod("ollama-0"))],
    ["there is one pod too many", rollout(pod("ollama-0"), pod("ollama-1"), pod("ollama-2"))],
    [
      "the controller has not seen the change",
      { ...rollout(pod("ollama-0"), pod("ollama-1")), isObserved: false },
    ],
    ["a pod is from before the change", rollout(pod("ollama-0"), pod("ollama-1", { isUpdated: false }))],
    ["a pod is not ready", rollout(pod("ollama-0"), pod("ollama-1", { isReady: false }))],
    [
      "a pod has another list of models",
      rollout(pod("ollama-0"), pod("ollama-1", { state: { ...complete, version: "old" } })),
    ],
    [
      "a pod is pulling a model",
      rollout(pod("ollama-0"), pod("ollama-1", { state: { ...complete, complete: false } })),
    ],
  ])("continues while %s", (_, state) => {
    expect(isFinished(state, version)).toBe(false);
    expect(progressOf(state).failure).toBeUndefined();
  });

  it("reports what each pod is waiting for", () => {
    const pulling = { ...complete, complete: false, line: "6a0746a1ec1a: 35 % of 1.3 GB" };
    const { lines } = progressOf(
      rollout(
        pod("ollama-0", { isReady: false, state: pulling }),
        pod("ollama-1", { isReady: false, state: undefined }),
      ),
    );
    expect(lines).toEqual(["ollama-0: 6a0746a1ec1a: 35 % of 1.3 GB", "ollama-1: containers are starting"]);
  });

  it("continues while no node has enough memory, because one may be added", () => {
    const waiting = "0/2 nodes are available: 2 Insufficient memory.";
    const state = rollout(pod("ollama-0"), pod("ollama-1", { isReady: false, state: undefined, waiting }));
    expect(progressOf(state)).toMatchObject({ lines: [`ollama-1: ${waiting}`], failure: undefined });
  });

  const minute = 60_000;
  const old = pod("ollama-1", { isUpdated: false });
  const later = (change: Partial<Pod>) => pod("ollama-0", { isReady: false, state: undefined, ...change });
  const installing = { ...complete, complete: false, isInstalling: true, line: "verifying sha256 digest" };
  it.each<[string, Rollout, number]>([
    ["a container becomes ready", rollout(later({}), old), 2 * minute],
    [
      "a cluster autoscaler adds a node",
      rollout(later({ startStep: "scheduling", waiting: "0/1 nodes are available" }), old),
      20 * minute,
    ],
    ["volumes are attached", rollout(later({ startStep: "attaching" }), old), 10 * minute],
    ["the node pulls an image", rollout(later({ startStep: "pulling" }), old), 240 * minute],
    [
      "a pod finishes its requests",
      { ...rollout(old), terminating: ["ollama-0"] },
      limits.stopMs + limits.readyMs,
    ],
    [
      "the keeper installs a model, which it limits itself",
      rollout(later({ state: installing }), old),
      Infinity,
    ],
    [
      "the keeper has not read the new list",
      rollout(later({ state: { ...installing, version: "old" } }), old),
      2 * minute,
    ],
  ])("allows for the time in which %s", (_, state, limitMs) => {
    expect(progressOf(state)).toMatchObject({ failure: undefined, limitMs });
  });

  it("reports steps of a start that Kubernetes does not report", () => {
    const { lines } = progressOf({
      ...rollout(
        later({ startStep: "attaching" }),
        pod("ollama-1", { ...later({ startStep: "pulling" }), name: "ollama-1" }),
      ),
      replicas: 3,
      terminating: ["ollama-2"],
    });
    expect(lines).toEqual([
      "ollama-0: attaching its volumes and network",
      "ollama-1: pulling its images",
      "ollama-2: finishing its requests",
      "2 of 3 pods exist",
    ]);
  });

  it("fails if a model cannot be installed", () => {
    const problem = "the registry does not have the model tiny:2b";
    const noModel = rollout(
      pod("ollama-0", { state: { ...complete, complete: false, problem } }),
      pod("ollama-1"),
    );
    expect(progressOf(noModel).failure).toBe(`ollama-0: ${problem}`);
  });

  const starting = (waiting: string | undefined) =>
    rollout(pod("ollama-0"), pod("ollama-1", { isReady: false, state: undefined, waiting }));

  it.each(["InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"])(
    "fails at once for %s, which no retry fixes",
    (reason) => {
      const waiting = `container models: ${reason}`;
      expect(progressOf(starting(waiting)).failure).toBe(`ollama-1: ${waiting}`);
    },
  );

  it("gives the kubelet a minute to retry an image pull, then fails", () => {
    let seconds = 0;
    const watch = new RolloutWatch(version, limits, () => seconds * 1000);
    const failed = starting("container models: ErrImagePull: connection refused");
    const waiting = "container models: ImagePullBackOff: Back-off pulling image";
    expect(watch.observe(failed).failure).toBeUndefined();
    seconds = 59;
    expect(watch.observe(starting(waiting)).failure).toBeUndefined();
    seconds = 60;
    expect(watch.observe(starting(waiting)).failure).toBe(`ollama-1: ${waiting}`);
  });

  it("restarts that minute after a successful pull", () => {
    let seconds = 0;
    const watch = new RolloutWatch(version, limits, () => seconds * 1000);
    const failed = starting("container models: ErrImagePull: connection refused");
    watch.observe(failed);
    seconds = 50;
    watch.observe(starting(undefined));
    seconds = 70;
    expect(watch.observe(failed).failure).toBeUndefined();
  });

  it("ignores the failure of a pod that is about to be replaced", () => {
    const waiting = "container models: ImagePullBackOff: Back-off pulling image";
    const state = rollout(pod("ollama-0"), pod("ollama-1", { isUpdated: false, isReady: false, waiting }));
    expect(progressOf(state).failure).toBeUndefined();
  });
});

describe("the report of the pods' GPU memory", () => {
  it("lists pods that have not checked their models yet, with their progress, and the problems of each pod", () => {
    const checked = pod("ollama-0", {
      state: { ...complete, gpuProblems: ["Model tiny:1b runs on the CPU"] },
    });
    expect(gpuReport([checked, pod("ollama-1"), pod("ollama-2", { state: undefined })])).toEqual({
      unknown: ["ollama-1 (tiny:1b is there)", "ollama-2"],
      problems: ["ollama-0: Model tiny:1b runs on the CPU"],
    });
  });
});

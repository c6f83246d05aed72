import { execFile } from "node:child_process";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { ClusterError } from "../../../cluster/kubectl.ts";
import { pollUntil } from "../../../components/commands/lib/poll-until.ts";
import { FakeDocker, type FakeResponse } from "../../../test-support/fakes/fake-docker.ts";

const kubectl = new FakeDocker("kubectl");
afterAll(() => {
  kubectl.remove();
});

const unavailable = "Error from server (Timeout): the server was unable to return a response";
const flags = "--namespace=llm";

/** Runs a command as Pulumi does. */
function run(
  script: string,
  responses: Readonly<Record<string, FakeResponse>>,
  { input = "", readySeconds = "60" } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  kubectl.mock(
    Object.fromEntries(Object.entries(responses).map(([begin, text]) => [`${flags} ${begin}`, text])),
  );
  const environment = {
    CLUSTER_NAMESPACE: "llm",
    READY_TIMEOUT_SECONDS: readySeconds,
    PODS_END_WITHIN_SECONDS: readySeconds,
    MODELS_VERSION: "abc",
  };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [`components/commands/${script}.ts`],
      { env: { ...process.env, ...environment } },
      (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout, stderr });
      },
    );
    child.stdin?.end(input);
  });
}

const conditions = [{ type: "Ready", status: "True" }];
const podList = (app: string, container: string) =>
  JSON.stringify({
    items: [
      {
        metadata: { name: `${app}-0`, labels: { "controller-revision-hash": "r1" } },
        status: {
          phase: "Running",
          conditions,
          containerStatuses: [{ name: container, state: { running: {} } }],
        },
      },
    ],
  });
const statefulSet = JSON.stringify({
  metadata: { generation: 1 },
  spec: { replicas: 1 },
  status: { observedGeneration: 1, updateRevision: "r1" },
});
const models = [{ name: "tiny:1b", digest: "d", size: 1 }];
const state = JSON.stringify({ version: "abc", complete: true, line: "", models, gpuProblems: [] });
const key = "1".repeat(64);

const servers = {
  "get statefulset": { fails: unavailable, then: statefulSet },
  "get pods --selector=app=ollama --output=json": podList("ollama", "models"),
  "exec ollama-0": state,
};

describe("commands of an update", () => {
  it.each<[string, Readonly<Record<string, FakeResponse>>, string]>([
    ["await-models", servers, JSON.stringify(models)],
    ["check-pod-gpu-memory", servers, ""],
    ["await-pods-gone", { "get pods": { fails: unavailable, then: "" } }, ""],
    ["await-keys", { "get pods": { fails: unavailable, then: JSON.stringify({ items: [] }) } }, ""],
  ])("%s continues after a request to the cluster failed", async (script, responses, output) => {
    const { code, stdout, stderr } = await run(script, responses, { input: `ada sha256=${key}` });
    expect({ code, stdout: stdout.trim(), stderr }).toEqual({ code: 0, stdout: output, stderr: "" });
  });

  it.each([
    ["a missing permission", "Error from server (Forbidden): pods is forbidden", "docs/kubernetes.md"],
    ["a missing object", 'Error from server (NotFound): statefulsets.apps "ollama" not found', "not found"],
  ])("fail at once for %s", async (_what, fails, message) => {
    const { code, stderr } = await run("await-models", { get: { fails } });
    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("    at ");
  });

  it("name the gateways that do not load the keys", async () => {
    const responses = {
      "get pods": podList("gateway", "gateway"),
      "exec gateway-0": "other 12345678",
      annotate: "",
    };
    const { code, stderr } = await run("await-keys", responses, {
      input: `ada sha256=${key}`,
      readySeconds: "1",
    });
    expect(code).toBe(1);
    expect(stderr).toContain(
      "gateway-0 did not load the keys within 1 s. To find out why: kubectl logs gateway-0",
    );
  });
});

describe("the wait for a result", () => {
  const options = { everyMs: 5, limitMs: 50 };
  beforeEach(() => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
  });

  it("continues as long as there is progress, or a state's own limit allows", async () => {
    let step = 0;
    const started = Date.now();
    const changing = () => Promise.resolve((step += 1) > 30 ? { result: step } : { pending: String(step) });
    await pollUntil(changing, options);
    expect(Date.now() - started).toBeGreaterThan(options.limitMs);
    const constant = () =>
      Promise.resolve(
        Date.now() - started > 600 ? { result: true } : { pending: "installing", limitMs: Infinity },
      );
    expect(await pollUntil(constant, options)).toBe(true);
  });

  it("fails when nothing has changed for the limit", async () => {
    const pending = () => Promise.resolve({ pending: "ollama-0: not ready yet" });
    await expect(pollUntil(pending, options)).rejects.toThrow(
      "No progress for 0.05 s: ollama-0: not ready yet",
    );
  });

  it("fails with the error if the cluster does not respond for the limit, whatever the state's own limit", async () => {
    let isUp = true;
    const lost = () => {
      if (!isUp) return Promise.reject(new ClusterError("The cluster does not respond", unavailable));
      isUp = false;
      return Promise.resolve({ pending: "installing", limitMs: Infinity });
    };
    await expect(pollUntil(lost, options)).rejects.toThrow("The cluster does not respond");
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configKeys } from "../../scripts/commands/docs.ts";
import { monitoringProperties, otherPrometheus } from "./property-table-monitoring.ts";
import { previewSteps } from "./preview-steps.ts";
import { rateInterval, rows } from "../../monitoring/panels.ts";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { parseAlerts } from "../../scripts/observe/alerts.ts";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { docker, inspect } from "../../test-support/stack/by-hand.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";

// One stack whose gateway, server, model and queue go wrong for real. Prometheus reads and reckons every second here, and
// an alert fires after three.
const project = new Project({ stack: "monitoring", ollamaPort: 18908, gatewayPort: 18900 });
const [ada, bob] = [newKey("ada", ["admin"]), newKey("bob", [])];
const model = "smollm2:135m";
let outputs: StackOutputs;
let prometheus = "";
const startedAt = Date.now() / 1000;

const names = { gateway: "ollama-stack-monitoring-gateway", ollama: "ollama-stack-monitoring-ollama" };

async function query<T>(path: string): Promise<T> {
  const response = await fetch(`${prometheus}/api/v1/${path}`);
  const { status, data } = (await response.json()) as { status: string; data: T };
  expect(status, path).toBe("success");
  return data;
}

const prometheusContainer = (): string => outputs.prometheus?.container ?? "";

async function firing(): Promise<string[]> {
  const response = await fetch(`${prometheus}/api/v1/alerts`);
  return parseAlerts(await response.text()).map(({ name }) => name);
}

const fires = (name: string) => expect.poll(firing, { interval: 500 }).toContain(name);
const resolves = (name: string) => expect.poll(firing, { interval: 500 }).not.toContain(name);

/** Generates so many tokens at most for bob; a failure is a response. */
function chat(maxTokens: number, signal?: AbortSignal): Promise<number> {
  return fetch(`${outputs.gatewayUrl}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${bob.key}` },
    body: JSON.stringify({
      model,
      stream: true,
      max_tokens: maxTokens,
      messages: [{ role: "user", content: "Count to a thousand." }],
    }),
    ...(signal === undefined ? {} : { signal }),
  }).then(async (response) => {
    await response.text().catch(() => "");
    return response.status;
  });
}

/** One request after the other, whatever becomes of them. */
async function keepAsking(maxTokens: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const status = await chat(maxTokens, signal).catch(() => 0);
    if (status !== 200) await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function ollama(path: string, body: object, method = "POST"): Promise<void> {
  const response = await fetch(`${outputs.ollamaUrl}${path}`, { method, body: JSON.stringify(body) });
  expect(response.ok, await response.text()).toBe(true);
}

const run = (file: string, ...args: string[]) =>
  project.run(process.execPath, [`scripts/commands/${file}.ts`, "--stack", project.stack, ...args], {
    OLLAMA_STACK_API_KEY: ada.key,
  }).done;

beforeAll(async () => {
  project.configure({
    monitoring: "prometheus",
    prometheusPort: "auto",
    prometheusScrapeSeconds: 1,
    alertAfterSeconds: 3,
    prometheusMemoryMiB: 256,
    objectiveFirstTokenSeconds: "1.5",
    gatewayApiKeys: [ada.line, bob.line],
    gatewayEnvironment: { QUEUE_LIMIT: 2, POLL_INTERVAL_MS: 500 },
  });
  await project.pulumi("stack", "init", project.stack);
  await project.pulumi("up", "--yes", "--skip-preview");
  outputs = await project.outputs();
  prometheus = outputs.prometheusUrl ?? "";
});
afterAll(async () => {
  await project.dispose();
  expect(leftovers(project.stack)).toEqual(nothingLeft);
});

describe("a stack with Prometheus", () => {
  it("is measured with a key of its own, in a container without privileges", async () => {
    const health = async () => {
      const { activeTargets } = await query<{ activeTargets: { scrapeUrl: string; health: string }[] }>(
        "targets",
      );
      return activeTargets.map(({ scrapeUrl, health: state }) => `${scrapeUrl} ${state}`).sort();
    };
    await expect
      .poll(health, { interval: 500 })
      .toEqual(["http://gateway:8000/metrics up", "http://prometheus:9090/metrics up"]);
    const name = prometheusContainer();
    expect(inspect(name, ".HostConfig")).toMatchObject({ ReadonlyRootfs: true, Memory: 256 * 1024 * 1024 });
    expect(inspect(name, ".Config.User")).toBe("65534:65534");
    expect(inspect(name, ".Config.Labels")).toMatchObject({ "ollama-stack.component": "prometheus" });
    expect(docker("port", name)).toMatch(/^9090\/tcp -> 127\.0\.0\.1:\d+$/);
  });

  // Previews change nothing: they are made side by side, each with a config of its own.
  it.concurrent.each(Object.entries(monitoringProperties))(
    "is changed by another %s as its description says",
    async (key, { value, replaced }) => {
      const { description } = configKeys()[key] ?? expect.fail(key);
      expect(description).toMatch(replaced.length === 0 ? /Changed in place/ : /A change replaces \S+/);
      expect(value).not.toEqual(project.configured(key));
      if (value === otherPrometheus)
        docker("tag", inspect(prometheusContainer(), ".Image") as string, otherPrometheus);
      try {
        const steps = await previewSteps(project, ...project.otherConfig(key, { [key]: value }));
        expect(Object.keys(steps), key).not.toEqual([]);
        const gone = Object.entries(steps).filter(([, op]) => /replace|delete/.test(op));
        expect(
          gone
            .map(([name]) => name)
            .filter((name) => name.endsWith("-container"))
            .sort(),
        ).toEqual(replaced);
      } finally {
        if (value === otherPrometheus) docker("image", "rm", otherPrometheus);
      }
    },
  );

  it("changes nothing with another update, and its rules without a restart", async () => {
    await project.pulumi("preview", "--expect-no-changes");
    const name = prometheusContainer();
    const startedAt = inspect(name, ".State.StartedAt");
    project.configure({ runbooks: "https://example.org/runbooks" });
    await project.pulumi("up", "--yes", "--skip-preview");
    const urls = async () => JSON.stringify(await query<object>("rules?type=alert"));
    await expect.poll(urls).toContain("https://example.org/runbooks/gateway-down.md");
    expect(inspect(name, ".State.StartedAt")).toBe(startedAt);
  });

  it("counts what its keys use", async () => {
    expect(await chat(8)).toBe(200);
    const { code, output } = await run("usage", "--format", "csv");
    expect(code, output).toBe(0);
    expect(output).toMatch(/^month,key,model,requests,prompt_tokens,generated_tokens,load_seconds$/m);
    expect(output).toMatch(/^\d{4}-\d\d,bob,smollm2:135m,1,\d+,8,[\d.]+$/m);
  });
});

/** The values of a query since the stack was brought up. */
async function valuesOf(expr: string): Promise<number> {
  const now = Date.now() / 1000;
  const search = new URLSearchParams({
    query: expr.replaceAll(rateInterval, "30s"),
    start: String(startedAt),
    end: String(now),
    step: "2",
  });
  const { result } = await query<{ result: { values: [number, string][] }[] }>(
    `query_range?${String(search)}`,
  );
  return result.flatMap(({ values }) => values.filter(([, value]) => value !== "NaN")).length;
}

describe("an alert fires and resolves", () => {
  it("QueueSaturated and FirstTokenSlow, with more requests than slots", async () => {
    // One runs, two wait, and the others are rejected; who waits, waits longer than the objective.
    const stop = new AbortController();
    const load = Array.from({ length: 5 }, () => keepAsking(300, stop.signal));
    await fires("QueueSaturated");
    await fires("FirstTokenSlow");
    stop.abort();
    await Promise.all(load);
    await resolves("QueueSaturated");
    await resolves("FirstTokenSlow");
  });

  it("BackendDown and ErrorRatioHigh, with an Ollama server that is stopped", async () => {
    docker("container", "stop", "--time", "2", names.ollama);
    await fires("BackendDown");
    const stop = new AbortController();
    const load = keepAsking(1, stop.signal);
    await fires("ErrorRatioHigh");
    const { output } = await run("status");
    expect(output).toMatch(/page {2}BackendDown, for \d+ s: The Ollama server ollama:11434 does not respond/);
    stop.abort();
    await load;
    docker("container", "start", names.ollama);
    await resolves("BackendDown");
    await resolves("ErrorRatioHigh");
    // The model is loaded again.
    expect(await chat(8)).toBe(200);
  });

  it("ModelMissing and DriftFound, with a model that somebody deleted", async () => {
    await ollama("/api/copy", { source: model, destination: "kept" });
    await ollama("/api/delete", { model }, "DELETE");
    await fires("ModelMissing");
    expect((await run("drift")).code).toBe(2);
    await fires("DriftFound");
    await ollama("/api/copy", { source: "kept", destination: model });
    await resolves("ModelMissing");
    const { code, output } = await run("drift");
    expect(code, output).toBe(0);
    await resolves("DriftFound");
  });

  it("GatewayDown, with a gateway that is stopped, and ContainerRestarting, when it was twice", async () => {
    docker("container", "stop", names.gateway);
    await fires("GatewayDown");
    docker("container", "start", names.gateway);
    await resolves("GatewayDown");
    // As often as it takes for Prometheus to see two of them within its window.
    const restarts = async () => {
      docker("container", "restart", "--time", "2", names.gateway);
      const up = async () => {
        const { result } = await query<{ result: { value: [number, string] }[] }>(
          `query?query=${encodeURIComponent('up{job="gateway"} and time() - process_start_time_seconds < 20')}`,
        );
        return result.length;
      };
      await expect.poll(up, { interval: 300 }).toBe(1);
      return firing();
    };
    await expect.poll(restarts).toContain("ContainerRestarting");
    await resolves("ContainerRestarting");
  });
});

// After the faults: every metric has been counted by then.
describe("the dashboard", () => {
  it.each(rows.flatMap(({ panels }) => panels))(
    "shows something in the panel '$title'",
    async ({ queries }) => {
      for (const { expr } of queries) expect(await valuesOf(expr), expr).toBeGreaterThan(0);
    },
  );
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configKeys } from "../../scripts/commands/docs.ts";
import { monitoringProperties, otherPrometheus } from "./property-table-monitoring.ts";
import { readPreviewSteps, removesObject } from "./preview-steps.ts";
import { rateInterval, rows } from "../../monitoring/panels.ts";
import { prometheusConfig, rulesConfig, type ScrapeSettings } from "../../monitoring/prometheus-files.ts";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { parseAlerts } from "../../scripts/observe/alerts.ts";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { docker, inspect } from "../../test-support/stack/by-hand.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";

// Real failures of one stack's gateway, server, model and queue. Prometheus scrapes and evaluates every second here, and
// an alert fires after three seconds.
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

/** Generates up to `maxTokens` tokens with bob's key; returns the status, also of a response that is cut off. */
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

/** Sends one request after another, whether or not they fail. */
async function sendContinuously(maxTokens: number, signal: AbortSignal): Promise<void> {
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
  it("scrapes its targets with a key of its own, from an unprivileged container", async () => {
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

  it.each(Object.entries(monitoringProperties))(
    "the description of %s states its effect",
    (key, property) => {
      const { description, default: initial } = configKeys()[key] ?? expect.fail(key);
      expect(description).toMatch(
        property.replaced.length === 0 ? /Changed in place/ : /A change replaces \S+/,
      );
      expect(property.value).not.toEqual(project.configured(key) ?? initial);
    },
  );

  // Previews change nothing, so they run in parallel, each with its own config: one for all keys that replace the same
  // containers, in which the new inputs show which of them had an effect.
  it.concurrent.each(
    [
      ...Map.groupBy(Object.entries(monitoringProperties), ([, { replaced }]) => replaced.join()).values(),
    ].map((group) => ({ group, title: group.map(([key]) => key).join(", ") })),
  )("applies a change of $title as the description states", async ({ group }) => {
    const values = Object.fromEntries(group.map(([key, { value }]) => [key, value]));
    const isTagged = Object.values(values).includes(otherPrometheus);
    if (isTagged) docker("tag", inspect(prometheusContainer(), ".Image") as string, otherPrometheus);
    try {
      const config = project.otherConfig(group[0]?.[0] ?? "none", values);
      const steps = await readPreviewSteps(project, ...config);
      const removed = steps.filter(removesObject);
      const names = removed.map(({ name }) => name).filter((name) => name.endsWith("-container"));
      const replaced = group[0]?.[1].replaced ?? [];
      expect(names.sort()).toEqual(replaced);
      if (replaced.length > 0 && group.length > 1) {
        const changes = removed.flatMap((step) => step.changes);
        expect(changes.sort()).toEqual(group.flatMap(([, each]) => each.changes ?? []).sort());
      }
      if (replaced.length > 0) return;
      expect(steps).toContainEqual(expect.objectContaining({ name: "prometheus-files", op: "update" }));
      const [before, after] = (["before", "after"] as const).map((when) => {
        // The files' content is secret, because the metrics key is next to it; the component gets what it is made of.
        const settings = steps.find(({ name }) => name === "prometheus")?.[when]
          ?.inputs as unknown as ScrapeSettings;
        const files = prometheusConfig({ ...settings, self: "" }) + rulesConfig(settings);
        return files + JSON.stringify(steps.map((step) => step[when]?.inputs));
      });
      for (const [key, { applied }] of group) {
        expect(before, key).not.toMatch(applied ?? expect.fail(key));
        expect(after, key).toMatch(applied ?? expect.fail(key));
      }
    } finally {
      if (isTagged) docker("image", "rm", otherPrometheus);
    }
  });

  it("changes nothing in a second update, and reloads changed rules without a restart", async () => {
    await project.pulumi("preview", "--expect-no-changes");
    const name = prometheusContainer();
    const startedAt = inspect(name, ".State.StartedAt");
    project.configure({ runbooks: "https://example.org/runbooks" });
    await project.pulumi("up", "--yes", "--skip-preview");
    const urls = async () => JSON.stringify(await query<object>("rules?type=alert"));
    await expect.poll(urls).toContain("https://example.org/runbooks/gateway-down.md");
    expect(inspect(name, ".State.StartedAt")).toBe(startedAt);
  });

  it("counts the usage of each key", async () => {
    expect(await chat(8)).toBe(200);
    const { code, output } = await run("usage", "--format", "csv");
    expect(code, output).toBe(0);
    expect(output).toMatch(/^month,key,model,requests,prompt_tokens,generated_tokens,load_seconds$/m);
    expect(output).toMatch(/^\d{4}-\d\d,bob,smollm2:135m,1,\d+,8,[\d.]+$/m);
  });
});

/** How many values a query has returned since the test started. */
async function countValues(expr: string): Promise<number> {
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
    // One runs, two wait for longer than the objective, and the others are rejected.
    const stop = new AbortController();
    const load = Array.from({ length: 5 }, () => sendContinuously(300, stop.signal));
    await fires("QueueSaturated");
    await fires("FirstTokenSlow");
    stop.abort();
    await Promise.all(load);
    await resolves("QueueSaturated");
    await resolves("FirstTokenSlow");
  });

  it("BackendDown and ErrorRatioHigh, with a stopped Ollama server", async () => {
    docker("container", "stop", "--time", "2", names.ollama);
    await fires("BackendDown");
    const stop = new AbortController();
    const load = sendContinuously(1, stop.signal);
    await fires("ErrorRatioHigh");
    const { output } = await run("status");
    expect(output).toMatch(/page {2}BackendDown, for \d+ s: The Ollama server ollama:11434 does not respond/);
    stop.abort();
    await load;
    docker("container", "start", names.ollama);
    await resolves("BackendDown");
    await resolves("ErrorRatioHigh");
    // Loads the model again.
    expect(await chat(8)).toBe(200);
  });

  it("ModelMissing and DriftFound, with a manually deleted model", async () => {
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

  it("GatewayDown with a stopped gateway, and ContainerRestarting after two restarts", async () => {
    docker("container", "stop", names.gateway);
    await fires("GatewayDown");
    docker("container", "start", names.gateway);
    await resolves("GatewayDown");
    // Repeats until Prometheus sees two restarts within its window.
    const firingAfterRestart = async () => {
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
    await expect.poll(firingAfterRestart).toContain("ContainerRestarting");
    await resolves("ContainerRestarting");
  });
});

// After the failures, which make every metric count something.
describe("the dashboard", () => {
  it.each(rows.flatMap(({ panels }) => panels))("shows data in the panel '$title'", async ({ queries }) => {
    for (const { expr } of queries) expect(await countValues(expr), expr).toBeGreaterThan(0);
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker } from "../../engine/docker-cli.ts";
import { writeVolumeFile } from "../../engine/volume-file.ts";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";

const gatewayPort = 18478;
const project = new Project({ stack: "keyring", ollamaPort: 18479, gatewayPort });
const gateways = ["ollama-stack-keyring-gateway", "ollama-stack-keyring-gateway-2"];
const usageVolume = "usage-of-keyring";
const [ada, bob] = [newKey("ada", ["requests=600"]), newKey("bob", [])];

/** Runs `npm run keys`; returns its output and the key in it, if any. */
async function runKeys(...args: string[]): Promise<{ output: string; key: string }> {
  const { code, output } = await project.run(process.execPath, ["scripts/commands/keys.ts", ...args]).done;
  expect(code, output).toBe(0);
  return { output, key: /^ {2}(sk-\S+)$/m.exec(output)?.[1] ?? "" };
}

async function statusOf(key: string, path = "/v1/models"): Promise<number> {
  const headers = { authorization: `Bearer ${key}` };
  return (await fetch(`http://127.0.0.1:${String(gatewayPort)}${path}`, { headers })).status;
}

/** IDs and start times of the containers: unchanged if none was replaced or restarted. */
async function containerStates(): Promise<string> {
  const names = await docker([
    "container",
    "ls",
    "--filter",
    "name=ollama-stack-keyring-",
    "--format",
    "{{.Names}}",
  ]);
  const format = "{{.Name}} {{.Id}} {{.State.StartedAt}} {{.RestartCount}}";
  return await docker(["container", "inspect", "--format", format, ...names.trim().split("\n").toSorted()]);
}

async function readAuditLines(container: string): Promise<Record<string, unknown>[]> {
  const log = await docker(["container", "logs", container], { merge: true });
  return log
    .split("\n")
    .filter((line) => line.includes('"msg":"audit"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

beforeAll(async () => {
  // Audit lines are written at every log level.
  project.configure({ gatewayApiKeys: ["# team", ada.line], gatewayLogLevel: "fatal" });
  await project.pulumi("stack", "init", project.stack);
  await project.pulumi("up", "--yes", "--skip-preview");
});
afterAll(async () => {
  await project.dispose();
  // It belongs to no stack, so destroy keeps it.
  await docker(["volume", "rm", usageVolume]);
  expect(leftovers(project.stack)).toEqual(nothingLeft);
});

describe("a gateway with keys", () => {
  it("writes an audit line for each change of its keys, by name and ID, at every log level", async () => {
    const added = await runKeys("add", "eve", "requests=60");
    expect(await statusOf(added.key)).toBe(200);
    const rotated = await runKeys("rotate", "eve");
    await runKeys("revoke", "eve");
    expect([await statusOf(added.key), await statusOf(rotated.key)]).toEqual([401, 401]);
    const changes = (await readAuditLines(gateways[0] ?? "")).filter(({ act }) => act === "change-keys");
    expect(changes[0]).toMatchObject({
      target: "/keys/api-keys",
      added: [expect.stringMatching(/^eve:[0-9a-f]{8}$/) as string],
      removed: [],
      changed: [],
    });
    // The rotation adds a second key and gives the first one an expiry.
    expect(changes[1]).toMatchObject({
      added: [expect.stringMatching(/^eve:/) as string],
      removed: [],
      changed: changes[0]?.["added"],
    });
  });

  it("keeps changed keys across a restart", async () => {
    const { key } = await runKeys("add", "kept");
    await docker(["container", "restart", "--time", "1", gateways[0] ?? ""]);
    await expect.poll(() => statusOf(key).catch(() => 0), { timeout: 30_000 }).toBe(200);
    await runKeys("revoke", "kept");
    expect(await statusOf(key)).toBe(401);
  });

  it("recovers from keys that were changed by hand: npm run drift reports them, npm run up repairs them", async () => {
    const image = String(project.configured("gatewayBaseImage"));
    await writeVolumeFile(
      { volume: "ollama-stack-keyring-gateway-keys", name: "api-keys", image },
      `${bob.line}\n`,
    );
    await expect.poll(() => statusOf(bob.key), { timeout: 15_000 }).toBe(200);
    expect(await statusOf(ada.key)).toBe(401);
    const drift = await project.run(process.execPath, ["scripts/commands/drift.ts"]).done;
    expect([drift.code, drift.output]).toEqual([
      2,
      expect.stringMatching(/gateway-keys[^]*as deployed \(not shown\)/),
    ]);
    const before = await containerStates();
    const environment = { OLLAMA_STACK_API_KEY: ada.key };
    const up = await project.run(process.execPath, ["scripts/commands/up.ts"], environment).done;
    expect(up.code, up.output).toBe(0);
    expect([await statusOf(ada.key), await statusOf(bob.key)]).toEqual([200, 401]);
    expect(await containerStates()).toBe(before);
  });

  it("stays closed when its last key is revoked", async () => {
    const { output } = await runKeys("revoke", "ada");
    expect(output).toContain("would be open to everyone");
    expect(await statusOf(ada.key)).toBe(401);
    expect(await statusOf("")).toBe(401);
    project.configure({ gatewayApiKeys: ["# nobody"] });
    const refused = await project.tryPulumi("preview");
    expect([refused.code, refused.output]).toEqual([
      expect.any(Number),
      expect.stringMatching(/gatewayApiKeys is wrong.*it contains no keys/),
    ]);
    expect(refused.code).not.toBe(0);
  });

  it("keeps the usage of a key when its container is replaced", async () => {
    await docker(["volume", "create", usageVolume]);
    const spender = newKey("spender", ["tokens_per_day=1"]);
    project.configure({ gatewayApiKeys: [ada.line, spender.line], gatewayUsageVolume: usageVolume });
    await project.pulumi("up", "--yes", "--skip-preview");
    const model = (await project.outputs()).installedModels[0]?.model ?? "";
    const spend = async () => {
      const response = await fetch(`http://127.0.0.1:${String(gatewayPort)}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${spender.key}` },
        body: JSON.stringify({ model, max_tokens: 2, messages: [{ role: "user", content: "Hi" }] }),
      });
      return [response.status, await response.text()];
    };
    expect(await spend()).toEqual([200, expect.any(String)]);
    expect(await spend()).toEqual([429, expect.stringContaining("rate_limit_exceeded")]);

    const before = await containerStates();
    project.configure({ gatewayEnvironment: { QUEUE_LIMIT: 63 } });
    await project.pulumi("up", "--yes", "--skip-preview");
    expect(await containerStates()).not.toBe(before);
    expect(await spend()).toEqual([429, expect.stringContaining("rate_limit_exceeded")]);
    expect((await project.run(process.execPath, ["scripts/commands/drift.ts"]).done).code).toBe(0);
  });
});

describe("two gateways behind an edge", () => {
  beforeAll(async () => {
    project.configure({ gatewayApiKeys: [ada.line], edge: "http", gatewayReplicas: 2 });
    await project.pulumi("up", "--yes", "--skip-preview");
  });

  it("apply an added, rotated and revoked key without a replaced or restarted container", async () => {
    const before = await containerStates();
    const added = await runKeys("add", "eve", "requests=60");
    expect(await statusOf(added.key)).toBe(200);

    const rotated = await runKeys("rotate", "eve");
    expect(await statusOf(added.key)).toBe(200);
    expect(await statusOf(rotated.key)).toBe(200);
    const { output } = await runKeys("list");
    expect(output).toMatch(/^eve +[0-9a-f]{8} +valid until \S+Z +requests=60$/m);
    expect(output).toMatch(/^eve +[0-9a-f]{8} +valid +requests=60$/m);

    const [, old = ""] = /^eve +([0-9a-f]{8}) +valid until/m.exec(output) ?? [];
    await runKeys("revoke", "eve", old);
    expect(await statusOf(added.key)).toBe(401);
    expect(await statusOf(rotated.key)).toBe(200);

    const successor = await runKeys("rotate", "eve", "--grace", "0");
    expect(await statusOf(rotated.key)).toBe(401);
    expect(await statusOf(successor.key)).toBe(200);

    await runKeys("revoke", "eve");
    expect(await statusOf(successor.key)).toBe(401);
    expect(await statusOf(ada.key)).toBe(200);
    expect(await containerStates()).toBe(before);
    // The state has these changes, too.
    await project.pulumi("preview", "--expect-no-changes");
  });

  it("apply a config change in place, as previewed", async () => {
    const before = await containerStates();
    const configured = project.configured("gatewayApiKeys");
    project.configure({ gatewayApiKeys: [ada.line, bob.line] });
    const { steps } = JSON.parse(await project.pulumi("preview", "--json")) as {
      steps: { op: string; urn: string }[];
    };
    const changes = steps.filter(({ op }) => op !== "same");
    expect(changes.map(({ op, urn }) => [op, urn.split("::").at(-1)])).toEqual(
      expect.arrayContaining([["update", "gateway-keys"]]),
    );
    expect(changes.filter(({ op }) => op !== "update")).toEqual([]);
    await project.pulumi("up", "--yes", "--skip-preview");
    expect(await statusOf(bob.key)).toBe(200);
    project.configure({ gatewayApiKeys: configured });
    await project.pulumi("up", "--yes", "--skip-preview");
    expect(await statusOf(bob.key)).toBe(401);
    expect(await containerStates()).toBe(before);
  });

  it("both apply each change", async () => {
    const [first, second] = await Promise.all(gateways.map(readAuditLines));
    const changes = (lines: Record<string, unknown>[] = []) =>
      lines.filter(({ act }) => act === "change-keys").map(({ added, removed }) => [added, removed]);
    expect(changes(second).length).toBeGreaterThan(4);
    expect(changes(first).slice(-changes(second).length)).toEqual(changes(second));
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker } from "../../engine/docker-cli.ts";
import { writeVolumeFile } from "../../engine/volume-file.ts";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";
import { previewSteps } from "./preview-steps.ts";

const gatewayPort = 18478;
const project = new Project({ stack: "keyring", ollamaPort: 18479, gatewayPort });
const gateways = ["ollama-stack-keyring-gateway", "ollama-stack-keyring-gateway-2"];
const usageVolume = "usage-of-keyring";
// A single response exceeds ada's budget.
const [ada, bob] = [newKey("ada", ["requests=600", "tokens_per_day=1"]), newKey("bob", [])];

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

/** The same from a gateway itself, because the edge prefers the first one; 0 if it is not up. */
async function statusAt(gateway: string, key: string): Promise<number> {
  const script = `
    const headers = { authorization: "Bearer ${key}" };
    const url = "http://127.0.0.1:" + process.env.PORT + "/v1/models";
    console.log((await fetch(url, { headers })).status);`;
  const command = ["container", "exec", gateway, "node", "--input-type=module", "--eval", script];
  return Number(await docker(command).catch(() => "0"));
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
  project.configure({
    gatewayApiKeys: ["# team", ada.line],
    gatewayUsageVolume: usageVolume,
    gatewayLogLevel: "fatal",
  });
  await docker(["volume", "create", usageVolume]);
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
  it("keeps the usage of a key when its container is replaced", async () => {
    const model = (await project.outputs()).installedModels[0]?.model ?? "";
    const spend = async () => {
      const response = await fetch(`http://127.0.0.1:${String(gatewayPort)}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${ada.key}` },
        body: JSON.stringify({ model, max_tokens: 2, messages: [{ role: "user", content: "Hi" }] }),
      });
      return [response.status, await response.text()];
    };
    const exceeded = [429, expect.stringContaining("rate_limit_exceeded")];
    expect(await spend()).toEqual([200, expect.any(String)]);
    expect(await spend()).toEqual(exceeded);

    const before = await containerStates();
    project.configure({ gatewayEnvironment: { QUEUE_LIMIT: 63 } });
    await project.pulumi("up", "--yes", "--skip-preview");
    expect(await containerStates()).not.toBe(before);
    expect(await spend()).toEqual(exceeded);
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
    // The usage volume is no drift.
    expect(drift.output).not.toContain(usageVolume);
    const before = await containerStates();
    const up = await project.run(process.execPath, ["scripts/commands/up.ts"]).done;
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
    project.configure({ gatewayApiKeys: [ada.line, bob.line] });
    const steps = await previewSteps(project);
    expect(steps).toHaveProperty("gateway-keys", "update");
    expect(new Set(Object.values(steps))).toEqual(new Set(["update"]));
    await project.pulumi("up", "--yes", "--skip-preview");
    expect(await statusOf(bob.key)).toBe(200);
    expect(await containerStates()).toBe(before);
  });

  it("write an audit line for each change, by name and ID, at every log level", async () => {
    const [first = [], second = []] = await Promise.all(
      gateways.map(async (name) =>
        (await readAuditLines(name))
          .filter(({ act }) => act === "change-keys")
          .map(({ target, added, removed, changed }) => ({ target, added, removed, changed })),
      ),
    );
    // That of the added key and that of the rotation, which adds a second key and gives the first one an expiry.
    const id = expect.stringMatching(/^eve:[0-9a-f]{8}$/) as string;
    expect(second[0]).toEqual({ target: "/keys/api-keys", added: [id], removed: [], changed: [] });
    expect(second[1]).toEqual({
      target: "/keys/api-keys",
      added: [id],
      removed: [],
      changed: second[0]?.added,
    });
    expect(second.length).toBeGreaterThan(4);
    expect(first.slice(-second.length)).toEqual(second);
  });

  it("keep changed keys across a restart", async () => {
    await docker(["container", "restart", "--time", "1", ...gateways]);
    for (const gateway of gateways) {
      await expect.poll(() => statusAt(gateway, bob.key), { timeout: 30_000 }).toBe(200);
      expect(await statusAt(gateway, "")).toBe(401);
    }
  });
});

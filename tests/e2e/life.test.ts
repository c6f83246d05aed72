import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { describeSmoke } from "../smoke/suite.ts";
import { describeReadOnlyCheckout } from "./read-only-checkout.ts";
import { describeRefusals, foreignContainerOf } from "./refused-updates.ts";
import { keptLoaded } from "./kept-loaded.ts";
import { previewSteps } from "./preview-steps.ts";
import { docker, inspect } from "../../test-support/stack/by-hand.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";

// The lifecycle of one stack, in order: each test continues from the state that the previous one left.
const project = new Project({ stack: "life", ollamaPort: 18008, gatewayPort: 18000 });
let outputs: StackOutputs;

const runScript = (name: string, ...args: string[]) =>
  project.run(process.execPath, [`scripts/commands/${name}.ts`, "--stack", project.stack, ...args]).done;
const containerId = (name: string) => inspect(name, ".Id");

async function canChat(content = "Hi"): Promise<boolean> {
  const model = outputs.installedModels[0]?.model;
  const response = await fetch(`${outputs.gatewayUrl}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, max_tokens: 4, messages: [{ role: "user", content }] }),
  });
  return response.status === 200;
}

/** Waits until the model with keepLoaded is loaded, without any request for it. */
async function waitUntilKeptLoaded(): Promise<void> {
  const model = outputs.installedModels[0]?.model ?? "";
  await expect
    .poll(() => keptLoaded(outputs.ollamaUrl, model), { timeout: 30_000, interval: 200 })
    .toBe(true);
}

beforeAll(async () => {
  await project.pulumi("stack", "init", project.stack);
  const [first] = project.configured("models") as object[];
  project.configure({ models: [{ ...first, keepLoaded: true }] });
});
afterAll(async () => {
  await project.dispose();
});

describe("before the first update", () => {
  it("previews every resource", async () => {
    expect(await previewSteps(project)).toMatchObject({
      "network-bridge": "create",
      "ollama-image": "create",
      "ollama-models": "create",
      "ollama-container": "create",
      "ollama-ready": "create",
      "gateway-image": "create",
      "gateway-container": "create",
      "gateway-ready": "create",
    });
    expect(leftovers(project.stack).containers).toEqual([]);
  });
});

describe("up", () => {
  beforeAll(async () => {
    project.configure({ gatewayEnvironment: { LOG_TEXT: "on" } });
    // As in a clone made with umask 077.
    rmSync(join(project.folder, "gateway", "dist"), { recursive: true });
    execFileSync("chmod", ["--recursive", "go=", join(project.folder, "gateway")]);
    const up = "umask 077 && exec pulumi up --yes --skip-preview";
    const { code, output: text } = await project.run("sh", ["-c", up]).done;
    expect(code, text).toBe(0);
    expect(text).toMatch(/: \d+ % of \d/);
    // neighbours.test.ts tests the warning about engines older than Docker 28.
    const others = text.split("\n").filter((line) => !/moby#45610| 1 warning(;|$)/.test(line));
    expect(others.join("\n")).not.toMatch(/warning/i);
    outputs = await project.outputs();
  });

  it("outputs URLs, network, containers, images and models with their digests", () => {
    expect(outputs).toMatchObject({
      gatewayUrl: "http://127.0.0.1:18000",
      ollamaUrl: "http://127.0.0.1:18008",
      networkName: "ollama_network_life",
      containers: { gateway: "ollama-stack-life-gateway", ollama: "ollama-stack-life-ollama" },
    });
    for (const id of Object.values(outputs.images)) expect(id).toMatch(/^sha256:[0-9a-f]{64}/);
    for (const { digest, sizeBytes } of outputs.installedModels) {
      expect(digest).toMatch(/^[0-9a-f]{64}$/);
      expect(sizeBytes).toBeGreaterThan(1_000_000);
    }
  });

  it("loads the model with keepLoaded", waitUntilKeptLoaded);

  it("creates the containers with least privileges and every limit", () => {
    for (const [name, memory, pids] of [
      [outputs.containers.gateway, 512, 128],
      [outputs.containers.ollama, 4096, 1024],
    ] as const) {
      const host = inspect(name, ".HostConfig") as Record<string, unknown>;
      expect(host, name).toMatchObject({
        ReadonlyRootfs: true,
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges"],
        Memory: memory * 1024 * 1024,
        MemorySwap: memory * 1024 * 1024,
        PidsLimit: pids,
        Privileged: false,
        RestartPolicy: { Name: "unless-stopped" },
        LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
      });
      const bindings = Object.values(host["PortBindings"] as Record<string, { HostIp: string }[]>).flat();
      expect(bindings.map(({ HostIp }) => HostIp)).toEqual(["127.0.0.1"]);
      const networks = Object.keys(inspect(name, ".NetworkSettings.Networks") as object);
      expect(networks).toEqual(["ollama_network_life"]);
    }
    expect(inspect(outputs.containers.gateway, ".Config.User")).toBe("65532:65532");
  });

  it("passes gatewayEnvironment to the gateway, which logs prompts with LOG_TEXT", async () => {
    expect(await canChat("Planted in the log")).toBe(true);
    const log = () => docker("logs", outputs.containers.gateway);
    await expect.poll(log, { timeout: 15_000 }).toContain("Planted in the log");
  });

  it("appears in npm run status, and its logs in npm run logs", async () => {
    const status = await runScript("status");
    expect(status.output).toMatch(/^gateway +running +(starting|healthy) +0 /m);
    expect(status.output).toMatch(/^requests: 0 in flight, 0 waiting$/m);
    expect(status.output).toContain(`loaded models: ${outputs.installedModels[0]?.model ?? ""}`);
    const logs = await runScript("logs", "--tail", "all");
    expect(logs.output).toMatch(/^\d\d:\d\d:[\d.]+ +gateway +info +request .*route=\/v1\/chat\/completions/m);
    expect(logs.output).toMatch(/^\d\d:\d\d:[\d.]+ +ollama +/m);
  });

  describeSmoke(() => outputs);
});

describe("up again", () => {
  it("finds nothing changed by a refresh", async () => {
    await project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes");
  });

  it("changes nothing, adds no salt to the stack's file, and the state's secrets stay readable", async () => {
    const file = `Pulumi.${project.stack}.yaml`;
    const text = () => readFileSync(join(project.folder, file), "utf8");
    project.edit(file, (content) => content.replace(/^encryptionsalt: .*\n/m, ""));
    const before = text();
    const { code, output } = await runScript("up", "--", "--expect-no-changes");
    expect(code, output).toBe(0);
    expect(text()).toBe(before);
    const state = await project.pulumi("stack", "export", "--show-secrets", "--stack", project.stack);
    expect(JSON.parse(state)).toHaveProperty("deployment.resources");
  });
});

describeReadOnlyCheckout(project);

describe("manual changes that a refresh detects", () => {
  it("restores removed containers by refresh and up, without pulling the models again", async () => {
    docker("container", "rm", "--force", ...Object.values(outputs.containers));
    await project.pulumi("refresh", "--yes", "--skip-preview");
    const created = { "gateway-container": "create", "ollama-container": "create" };
    expect(await previewSteps(project)).toMatchObject(created);
    const text = await project.pulumi("up", "--yes", "--skip-preview");
    expect(text).not.toMatch(/: \d+ % of \d/);
    await waitUntilKeptLoaded();
    expect(await canChat()).toBe(true);
  });
});

describe("manual changes that a refresh does not detect", () => {
  it("starts a stopped container by npm run up", async () => {
    docker("container", "stop", outputs.containers.ollama);
    const { code, output } = await runScript("up");
    expect(code, output).toBe(0);
    await waitUntilKeptLoaded();
    expect(await canChat()).toBe(true);
  });
});

describe("a change", () => {
  it("of the gateway's sources replaces the gateway, and nothing else", async () => {
    const { gateway, ollama } = outputs.containers;
    const before = [gateway, ollama].map(containerId);
    project.edit("gateway/src/server.ts", (text) => `${text}\nprocess.title = "changed";\n`);
    const report = await runScript("preview");
    expect(report.output).toContain("**Interrupts**: the gateway is unavailable");
    expect(report.output).toMatch(
      /It \*\*replaces\*\*:\n\n- .*container `ollama-stack-life-gateway`, because of image/s,
    );
    expect(report.output).not.toContain("ollama-stack-life-ollama`");
    await project.pulumi("up", "--yes", "--skip-preview");
    expect(containerId(ollama)).toBe(before[1]);
    expect(containerId(gateway)).not.toBe(before[0]);
    expect(await canChat()).toBe(true);
    expect(leftovers(project.stack).images).toHaveLength(1);
  });

  it("of a memory limit is applied in place", async () => {
    const { gateway } = outputs.containers;
    const before = containerId(gateway);
    project.configure({ gatewayMemoryMiB: 640 });
    expect(await previewSteps(project)).toEqual({ "gateway-container": "update" });
    await project.pulumi("up", "--yes", "--skip-preview");
    expect(containerId(gateway)).toBe(before);
    expect(inspect(gateway, ".HostConfig")).toMatchObject({ Memory: 640 * 1024 * 1024, PidsLimit: 128 });
  });
});

describe("destroy", () => {
  describeRefusals(project, () => outputs);

  it("removes every container, network, volume and image of the stack, and disconnects foreign containers", async () => {
    const { code, output } = await runScript("destroy", "--yes", "--disconnect");
    expect(code, output).toBe(0);
    expect(inspect(foreignContainerOf(project.stack), ".State.Running")).toBe(true);
    expect(leftovers(project.stack)).toEqual(nothingLeft);
  });
});

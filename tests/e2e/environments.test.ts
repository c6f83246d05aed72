import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { dropCommands } from "../../components/planning/network/packet-filter.ts";
import { rules } from "../../policy/rules.ts";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { docker } from "../../test-support/stack/by-hand.ts";
import { withStackUrls } from "../../scripts/connect/with-stack-urls.ts";
import { type OciRegistry, startOciRegistry } from "../../test-support/fakes/oci-registry.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";
import { onTerminal } from "./terminal.ts";

// A production stack is rejected until it complies with the rules, runs pinned images, and keeps its models on destroy.
const project = new Project({ stack: "prod", ollamaPort: 18508, gatewayPort: 18500 });
const volume = "ollama-stack-prod-ollama-models";
const { key, line } = newKey("ada", []);
const pulled: string[] = [];
const deletePrompt = /Delete it too\? \[y\/N\] $/;
const removePrompt = /^Remove all this, of the stack prod on this machine's engine\? \[y\/N\] $/m;
let registry: OciRegistry;

const runOnTerminal = (name: string, args: readonly string[], prompt: RegExp, reply: string) =>
  onTerminal(project, [`scripts/commands/${name}.ts`, "--stack", project.stack, ...args], prompt, reply);
const runScript = (name: string, ...args: string[]) =>
  project.run(process.execPath, [`scripts/commands/${name}.ts`, "--stack", project.stack, ...args], {
    OLLAMA_STACK_API_KEY: key,
  }).done;

/** Pushes an image of this host to the registry; returns its name there. */
async function publish(image: string): Promise<string> {
  const name = `${registry.host}/${image}`;
  docker("tag", image, name);
  // Asynchronous, because the registry runs in this process.
  const { code, output } = await project.run("docker", ["push", name]).done;
  expect(code, output).toBe(0);
  docker("image", "rm", name);
  return name;
}

/** The config of Pulumi.prod.yaml. */
function productionConfig(): Record<string, unknown> {
  const { config } = parse(readFileSync("Pulumi.prod.yaml", "utf8")) as { config: Record<string, unknown> };
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key.replace("ollama-stack:", ""), value]),
  );
}

// Docker 28 is the first with 1.48.
const [, apiMinor] = docker("version", "--format", "{{.Server.APIVersion}}").split(".");
const letsNeighboursThrough = Number(apiMinor) < 48;
const cannotViolate = new Set([
  // Without keys, the gateway listens on a loopback address only, which needs no TLS.
  "tls-required",
  // Config validation already rejects what would violate these, in every stack or in production.
  "text-unlogged",
  "cloud-unused",
  ...(letsNeighboursThrough ? [] : ["neighbours-kept-out"]),
]);

let isDropping = false;
/** Makes this host drop packets from its neighbours to containers, or stops it. */
function dropForNeighbours(drop: boolean): void {
  if (!letsNeighboursThrough || drop === isDropping) return;
  isDropping = drop;
  for (const line of dropCommands) execFileSync("sh", ["-c", drop ? line : line.replace(" -I ", " -D ")]);
}

beforeAll(async () => {
  registry = await startOciRegistry();
  project.configure({ ollamaImage: await publish(String(project.configured("ollamaImage"))) });
  await project.pulumi("stack", "init", project.stack);
});
afterAll(async () => {
  dropForNeighbours(false);
  await runScript("destroy", "--yes", "--models", "delete");
  await project.dispose();
  if (pulled.length > 0) docker("image", "rm", ...pulled);
  await registry.close();
  expect(leftovers(project.stack)).toEqual(nothingLeft);
});

describe("a stack with production set", () => {
  it("is rejected before anything changes, with the resource and the fix of each violation", async () => {
    project.configure({ production: true, gatewayCpus: "" });
    const { code, output } = await runScript("up");
    expect(code).not.toBe(0);
    expect(output).not.toContain("can't run policy");
    const violated = rules.map(({ name }) => name).filter((name) => !cannotViolate.has(name));
    for (const name of violated) expect(output).toContain(`[mandatory]  ${name}  (`);
    expect(output).toMatch(
      /keys-required {2}\(ollama-stack:index:Gateway: gateway\)[^]{0,200}npm run new-key -- NAME/,
    );
    expect(output).toMatch(
      /images-pinned {2}\(docker:index:RemoteImage: ollama-image\)[^]{0,300}npm run pin/,
    );
    expect(output).toMatch(
      /volumes-kept {2}\(docker:index:Volume: ollama-models\)[^]{0,200}protectModels to true/,
    );
    expect(output).toMatch(
      /limits-set {2}\(docker:index:Container: gateway-container\)[^]{0,200}gatewayCpus/,
    );
    expect(output).toMatch(
      /ollama-unpublished {2}\(ollama-stack:index:OllamaServer: ollama\)[^]{0,200}ollamaPort to 0/,
    );
    const preview = await runScript("preview");
    expect(preview.code, preview.output).toBe(1);
    const [summary = "", violations = ""] = preview.output.split("**Refused**");
    expect(summary).toMatch(
      /Interrupts nobody\.[^]*It \*\*creates\*\*:[^]*container `ollama-stack-prod-gateway`[^]*What is downloaded:\n\n- Model .*: it will be pulled, [\d.]+ [MG]B/,
    );
    // The engine already has the other images.
    expect(summary.match(/^- Image .*$/gm)).toEqual([
      expect.stringMatching(
        `^- Image ${String(project.configured("ollamaImage"))}: it will be pulled, up to [\\d.]+ [MG]B$`,
      ),
    ]);
    for (const name of violated) expect(violations).toContain(`- \`${name}\`, `);
    expect(violations).toMatch(/- `keys-required`, gateway: It has no key, .*npm run new-key -- NAME/);
    expect(leftovers(project.stack)).toEqual(nothingLeft);
  });

  it("comes up once its images are pinned, its keys created, its models protected and its limits set", async () => {
    const images = {
      ollamaImage: String(project.configured("ollamaImage")),
      gatewayBaseImage: await publish(String(project.configured("gatewayBaseImage"))),
      edgeImage: await publish(String(project.configured("edgeImage"))),
    };
    project.configure({ ...productionConfig(), ...images, gatewayApiKeys: [line] });
    dropForNeighbours(true);
    const pin = await runScript("pin");
    expect(pin.code, pin.output).toBe(0);
    for (const [name, reference] of Object.entries(images)) {
      const pinned = String(project.configured(name));
      expect(pinned).toMatch(new RegExp(`^${reference}@sha256:[0-9a-f]{64}$`));
      pulled.push(pinned.replace(/:[^:/]+@/, "@"));
    }
    expect(project.configured("models")).toMatchObject([
      { digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
    ]);
    const { code, output } = await runScript("up");
    expect(code, output).toBe(0);
    expect(output).toMatch(/Sample response from \S+ after [\d.]+ s:/);
    const outputs = await project.outputs();
    await withStackUrls(outputs, async ({ gatewayUrl, ollamaUrl }) => {
      expect(gatewayUrl).toBe("https://localhost:18500");
      expect((await fetch(`${gatewayUrl}/v1/models`)).status).toBe(401);
      expect((await fetch(`${ollamaUrl}/api/version`)).status).toBe(200);
    });
    for (const name of outputs.replicas.ollama) expect(docker("container", "port", name)).toBe("");
    await project.pulumi("preview", "--expect-no-changes", "--policy-pack", "policy");
    const drift = await runScript("drift");
    expect(drift.code, drift.output).toBe(0);
  });
});

describe("a deployed production stack", () => {
  it("passes the smoke tests, through the edge with TLS and with Ollama behind a tunnel", async () => {
    const { code, output } = await runScript("smoke");
    expect(code, output).toBe(0);
    expect(output).toMatch(/\n\d+ passed, 0 failed/);
  });

  it("keeps its edge when an update that removes it violates a rule", async () => {
    const withoutEdge = {
      edge: "none",
      edgeCpus: undefined,
      gatewayReplicas: 1,
      gatewayBindAddress: "0.0.0.0",
    };
    const before = Object.fromEntries(
      Object.keys(withoutEdge).map((name) => [name, project.configured(name)]),
    );
    project.configure(withoutEdge);
    const { code, output } = await runScript("up");
    project.configure(before);
    expect(code).not.toBe(0);
    expect(output).toMatch(
      /tls-required {2}\(ollama-stack:index:Gateway: gateway\)[^]{0,200}Set edge to internal/,
    );
    expect(docker("container", "ls", "--format", "{{.Names}}")).toContain("ollama-stack-prod-edge");
  });
});

describe("npm run destroy", () => {
  it("names the stack and its engine, and does nothing without confirmation", async () => {
    const unconfirmed = await runScript("destroy", "--models", "delete");
    expect(unconfirmed.code).toBe(1);
    expect(unconfirmed.output).toContain(
      "error: destroying the stack prod on this machine's engine requires confirmation; confirm with: npm run destroy -- --stack prod --yes",
    );
    const prompt =
      /^Destroy the stack prod on this machine's engine, with \d+ containers, networks, volumes and images\? \[y\/N\] $/m;
    const { code, output } = await runOnTerminal("destroy", ["--models", "delete"], prompt, "");
    expect(code, output).toBe(0);
    expect(leftovers(project.stack).containers).toHaveLength(4);
  });
});

describe("npm run destroy with protected models", () => {
  it("does nothing without a choice to keep or delete the models", async () => {
    const { code, output } = await runScript("destroy", "--yes");
    expect(code).not.toBe(0);
    expect(output).toMatch(
      new RegExp(
        `error: the stack prod protects its models in the volume ${volume} \\(\\d.*B\\): choose ` +
          "npm run destroy -- --stack prod --yes --models keep, or npm run destroy -- --stack prod --yes --models delete",
      ),
    );
    expect(leftovers(project.stack).containers).toHaveLength(4);
  });

  it("keeps the models, which the next update finds", async () => {
    const { code, output } = await runScript("destroy", "--yes", "--models", "keep");
    expect(code, output).toBe(0);
    expect(output).toContain(`Kept: the volume ${volume}`);
    expect(leftovers(project.stack)).toEqual({ ...nothingLeft, volumes: [volume] });
    const up = await runScript("up");
    expect(up.code, up.output).toBe(0);
    expect(up.output).not.toMatch(/: \d+ % of \d/);
  });

  it("prompts on a terminal, and keeps the models unless confirmed", async () => {
    const { code, output } = await runOnTerminal("destroy", ["--yes"], deletePrompt, "N");
    expect(code, output).toBe(0);
    expect(output).toMatch(new RegExp(`^The models are in the volume ${volume} \\(\\d.*B\\)\\. Delete`, "m"));
    expect(output).toContain(`Kept: the volume ${volume}`);
    const purge = await runOnTerminal("purge", [], removePrompt, "N");
    expect(purge.code, purge.output).toBe(0);
    expect(purge.output).toMatch(new RegExp(`^volume +[\\d.]+[MG]B  ${volume}$`, "m"));
    expect(leftovers(project.stack)).toEqual({ ...nothingLeft, volumes: [volume] });
  });

  it("deletes the models when confirmed at the prompt", async () => {
    const targets = ["--target", "**::ollama", "--target", "**::ollama-models"];
    await project.pulumi("up", "--yes", "--skip-preview", ...targets);
    expect(leftovers(project.stack).volumes).toContain(volume);
    const { code, output } = await runOnTerminal("destroy", ["--yes"], deletePrompt, "y");
    expect(code, output).toBe(0);
    expect(output).toContain(`Deleted: the volume ${volume}`);
    expect(leftovers(project.stack)).toEqual(nothingLeft);
  });
});

describe("npm run purge", () => {
  it("lists what is left with its size, and removes it after confirmation", async () => {
    docker("volume", "create", volume);
    const image = String(project.configured("ollamaImage"));
    docker("container", "create", "--name", "ollama-stack-prod-gateway", image);
    const premature = await runScript("purge", "--yes");
    expect(premature.code).toBe(1);
    expect(premature.output).toMatch(
      /the container ollama-stack-prod-gateway still exists; destroy its stack first/,
    );
    docker("container", "rm", "ollama-stack-prod-gateway");
    const unconfirmed = await runScript("purge");
    expect(unconfirmed.code).toBe(1);
    expect(unconfirmed.output).toMatch(new RegExp(`^volume +0B  ${volume}$`, "m"));
    expect(unconfirmed.output).toContain(
      "removing requires confirmation; confirm with: npm run purge -- --stack prod --yes",
    );
    expect(leftovers(project.stack)).toEqual({ ...nothingLeft, volumes: [volume] });
    const confirmed = await runOnTerminal("purge", [], removePrompt, "y");
    expect(confirmed.code, confirmed.output).toBe(0);
    expect(confirmed.output).toMatch(/^Removed: 1$/m);
    expect(leftovers(project.stack)).toEqual(nothingLeft);
    docker("volume", "create", volume);
    expect((await runScript("purge", "--yes")).output).toMatch(/^Removed: 1$/m);
    expect((await runScript("purge", "--yes")).output).toMatch(/^Nothing to remove\.$/m);
  });
});

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

// A production stack: refused until it keeps the rules, brought up by pinned images, and not taken down with its models.
const project = new Project({ stack: "prod", ollamaPort: 18508, gatewayPort: 18500 });
const volume = "ollama-stack-prod-ollama-models";
const { key, line } = newKey("ada", []);
const pulled: string[] = [];
const removeAll = /^Remove all this, of the stack prod on this machine's engine\? \[y\/N\] $/m;
let registry: OciRegistry;

const answering = (name: string, args: readonly string[], question: RegExp, answer: string) =>
  onTerminal(project, [`scripts/commands/${name}.ts`, "--stack", project.stack, ...args], question, answer);
const script = (name: string, ...args: string[]) =>
  project.run(process.execPath, [`scripts/commands/${name}.ts`, "--stack", project.stack, ...args], {
    OLLAMA_STACK_API_KEY: key,
  }).done;

/** Gives an image of this host to the registry; returns what it is called there. */
async function publish(image: string): Promise<string> {
  const name = `${registry.host}/${image}`;
  docker("tag", image, name);
  // Not waited for in a blocking way: the registry is in this process.
  const { code, output } = await project.run("docker", ["push", name]).done;
  expect(code, output).toBe(0);
  docker("image", "rm", name);
  return name;
}

/** What the file for production sets. */
function production(): Record<string, unknown> {
  const { config } = parse(readFileSync("Pulumi.prod.yaml", "utf8")) as { config: Record<string, unknown> };
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key.replace("ollama-stack:", ""), value]),
  );
}

// Docker 28 is the first with 1.48.
const [, apiMinor] = docker("version", "--format", "{{.Server.APIVersion}}").split(".");
const letsNeighboursIn = Number(apiMinor) < 48;
const cannotBreak = new Set([
  // Without keys there is no other address than a loopback one, and so nothing that needs TLS.
  "tls-required",
  // The check of the config refuses what would break them, in every stack or in production.
  "text-unlogged",
  "cloud-unused",
  ...(letsNeighboursIn ? [] : ["neighbours-kept-out"]),
]);

let drops = false;
/** Has this host drop what its neighbours send to containers, or drop it no more. */
function dropForNeighbours(drop: boolean): void {
  if (!letsNeighboursIn || drop === drops) return;
  drops = drop;
  for (const line of dropCommands) execFileSync("sh", ["-c", drop ? line : line.replace(" -I ", " -D ")]);
}

beforeAll(async () => {
  registry = await startOciRegistry();
  project.configure({ ollamaImage: await publish(String(project.configured("ollamaImage"))) });
  await project.pulumi("stack", "init", project.stack);
});
afterAll(async () => {
  dropForNeighbours(false);
  await script("destroy", "--yes", "--models", "delete");
  await project.dispose();
  if (pulled.length > 0) docker("image", "rm", ...pulled);
  await registry.close();
  expect(leftovers(project.stack)).toEqual(nothingLeft);
});

describe("a stack that is called production", () => {
  it("is refused before anything changes, each violation with its resource and its mend", async () => {
    project.configure({ production: true, gatewayCpus: "" });
    const { code, output } = await script("up");
    expect(code).not.toBe(0);
    expect(output).not.toContain("can't run policy");
    const broken = rules.map(({ name }) => name).filter((name) => !cannotBreak.has(name));
    for (const name of broken) expect(output).toContain(`[mandatory]  ${name}  (`);
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
    const preview = await script("preview");
    expect(preview.code, preview.output).toBe(1);
    const [words = "", refused = ""] = preview.output.split("**Refused**");
    expect(words).toContain("container `ollama-stack-prod-gateway`");
    // The others this engine has.
    expect(words.match(/^- Image .*$/gm)).toEqual([
      expect.stringMatching(
        `^- Image ${String(project.configured("ollamaImage"))}: it will be pulled, up to [\\d.]+ [MG]B$`,
      ),
    ]);
    for (const name of broken) expect(refused).toContain(`- \`${name}\`, `);
    expect(refused).toMatch(/- `keys-required`, gateway: It has no key, .*npm run new-key -- NAME/);
    project.configure({ gatewayApiKeys: [line], gatewayBindAddress: "0.0.0.0" });
    expect((await script("up")).output).toMatch(
      /tls-required {2}\(ollama-stack:index:Gateway: gateway\)[^]{0,200}Set edge to internal/,
    );
    project.configure({ gatewayBindAddress: undefined });
    expect(leftovers(project.stack)).toEqual(nothingLeft);
  });

  it("comes up once its images are pinned, its keys made, its models kept and its limits set", async () => {
    const images = {
      ollamaImage: String(project.configured("ollamaImage")),
      gatewayBaseImage: await publish(String(project.configured("gatewayBaseImage"))),
      edgeImage: await publish(String(project.configured("edgeImage"))),
    };
    project.configure({ ...production(), ...images, gatewayApiKeys: [line] });
    dropForNeighbours(true);
    const pin = await script("pin");
    expect(pin.code, pin.output).toBe(0);
    for (const [name, reference] of Object.entries(images)) {
      const pinned = String(project.configured(name));
      expect(pinned).toMatch(new RegExp(`^${reference}@sha256:[0-9a-f]{64}$`));
      pulled.push(pinned.replace(/:[^:/]+@/, "@"));
    }
    expect(project.configured("models")).toMatchObject([
      { digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
    ]);
    const { code, output } = await script("up");
    expect(code, output).toBe(0);
    expect(output).toMatch(/for a joke; [\d.]+ s later/);
    const outputs = await project.outputs();
    await withStackUrls(outputs, async ({ gatewayUrl, ollamaUrl }) => {
      expect(gatewayUrl).toBe("https://localhost:18500");
      expect((await fetch(`${gatewayUrl}/v1/models`)).status).toBe(401);
      expect((await fetch(`${ollamaUrl}/api/version`)).status).toBe(200);
    });
    for (const name of outputs.replicas.ollama) expect(docker("container", "port", name)).toBe("");
    await project.pulumi("preview", "--expect-no-changes", "--policy-pack", "policy");
    const drift = await script("drift");
    expect(drift.code, drift.output).toBe(0);
  });
});

describe("a production stack that is deployed", () => {
  it("passes the smoke tests, through the edge with TLS and with Ollama behind a tunnel", async () => {
    const { code, output } = await script("smoke");
    expect(code, output).toBe(0);
    expect(output).toMatch(/\n\d+ passed, 0 failed/);
  });

  it("keeps its edge when what is to come without it breaks a rule", async () => {
    const alone = { edge: "none", edgeCpus: undefined, gatewayReplicas: 1, gatewayBindAddress: "0.0.0.0" };
    const before = Object.fromEntries(Object.keys(alone).map((name) => [name, project.configured(name)]));
    project.configure(alone);
    const { code, output } = await script("up");
    project.configure(before);
    expect(code).not.toBe(0);
    expect(output).toMatch(/tls-required {2}\(ollama-stack:index:Gateway: gateway\)/);
    expect(docker("container", "ls", "--format", "{{.Names}}")).toContain("ollama-stack-prod-edge");
  });
});

describe("npm run destroy", () => {
  it("names the stack and its engine, and does nothing without a yes", async () => {
    const refused = await script("destroy", "--models", "delete");
    expect(refused.code).toBe(1);
    expect(refused.output).toContain(
      "error: destroying the stack prod on this machine's engine requires confirmation; confirm with: npm run destroy -- --stack prod --yes",
    );
    const question =
      /^Destroy the stack prod on this machine's engine, with \d+ containers, networks, volumes and images\? \[y\/N\] $/m;
    const { code, output } = await answering("destroy", ["--models", "delete"], question, "");
    expect(code, output).toBe(0);
    expect(leftovers(project.stack).containers).toHaveLength(4);
  });
});

describe("npm run destroy, where models are protected", () => {
  it("does nothing until it is said what becomes of them", async () => {
    const { code, output } = await script("destroy", "--yes");
    expect(code).not.toBe(0);
    expect(output).toMatch(
      new RegExp(
        `error: the stack prod protects its models in the volume ${volume} \\(\\d.*B\\): choose ` +
          "npm run destroy -- --stack prod --yes --models keep, or npm run destroy -- --stack prod --yes --models delete",
      ),
    );
    expect(leftovers(project.stack).containers).toHaveLength(4);
  });

  it("keeps them, and the next update finds them", async () => {
    const { code, output } = await script("destroy", "--yes", "--models", "keep");
    expect(code, output).toBe(0);
    expect(output).toContain(`Kept: the volume ${volume}`);
    expect(leftovers(project.stack)).toEqual({ ...nothingLeft, volumes: [volume] });
    const up = await script("up");
    expect(up.code, up.output).toBe(0);
    expect(up.output).not.toMatch(/: \d+ % of \d/);
  });

  it("asks on a terminal, and keeps them unless the answer is yes", async () => {
    const { code, output } = await answering("destroy", ["--yes"], /Delete it too\? \[y\/N\] $/, "N");
    expect(code, output).toBe(0);
    expect(output).toMatch(new RegExp(`^The models are in the volume ${volume} \\(\\d.*B\\)\\. Delete`, "m"));
    expect(output).toContain(`Kept: the volume ${volume}`);
    const purge = await answering("purge", [], removeAll, "N");
    expect(purge.code, purge.output).toBe(0);
    expect(purge.output).toMatch(new RegExp(`^volume +[\\d.]+[MG]B  ${volume}$`, "m"));
    expect(leftovers(project.stack)).toEqual({ ...nothingLeft, volumes: [volume] });
  });

  it.each([
    ["by an answer", () => answering("destroy", ["--yes"], /Delete it too\? \[y\/N\] $/, "y")],
    ["by an option", () => script("destroy", "--yes", "--models", "delete")],
  ])("deletes them when it is told so %s", async (_how, destroy) => {
    await project.pulumi(
      "up",
      "--yes",
      "--skip-preview",
      "--target",
      "**::ollama",
      "--target",
      "**::ollama-models",
    );
    expect(leftovers(project.stack).volumes).toContain(volume);
    const { code, output } = await destroy();
    expect(code, output).toBe(0);
    expect(output).toContain(`Deleted: the volume ${volume}`);
    expect(leftovers(project.stack)).toEqual(nothingLeft);
  });
});

describe("npm run purge", () => {
  it("removes what is left once it has said what and how large it is, and was told yes", async () => {
    docker("volume", "create", volume);
    const image = String(project.configured("ollamaImage"));
    docker("container", "create", "--name", "ollama-stack-prod-gateway", image);
    const early = await script("purge", "--yes");
    expect(early.code).toBe(1);
    expect(early.output).toMatch(
      /the container ollama-stack-prod-gateway still exists; destroy its stack first/,
    );
    docker("container", "rm", "ollama-stack-prod-gateway");
    const asked = await script("purge");
    expect(asked.code).toBe(1);
    expect(asked.output).toMatch(new RegExp(`^volume +0B  ${volume}$`, "m"));
    expect(asked.output).toContain(
      "removing requires confirmation; confirm with: npm run purge -- --stack prod --yes",
    );
    expect(leftovers(project.stack)).toEqual({ ...nothingLeft, volumes: [volume] });
    const told = await answering("purge", [], removeAll, "y");
    expect(told.code, told.output).toBe(0);
    expect(told.output).toMatch(/^Removed: 1$/m);
    expect(leftovers(project.stack)).toEqual(nothingLeft);
    docker("volume", "create", volume);
    expect((await script("purge", "--yes")).output).toMatch(/^Removed: 1$/m);
    expect((await script("purge", "--yes")).output).toMatch(/^Nothing to remove\.$/m);
  });
});

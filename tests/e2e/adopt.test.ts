import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { docker, inspect } from "../../test-support/stack/by-hand.ts";
import { FakePulumiCloud } from "../../test-support/fakes/fake-pulumi-cloud.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";

// Deploys a stack, then updates it from another login, without its state and under another name. Its models must never
// be pulled again.
const project = new Project({ stack: "adopted", ollamaPort: 18618, gatewayPort: 18610 });
const volume = "ollama-stack-adopted-ollama-models";

const runScript = (name: string, stack: string, ...args: string[]) => runScriptWith({}, name, stack, ...args);

const runScriptWith = (environment: NodeJS.ProcessEnv, name: string, stack: string, ...args: string[]) =>
  project.run(process.execPath, [`scripts/commands/${name}.ts`, "--stack", stack, ...args], {
    PULUMI_STACK: stack,
    ...environment,
  }).done;

const otherStateError =
  /The engine has ollama-stack-adopted-ollama, ollama-stack-adopted-gateway, which this stack's state does not contain: they belong to another state \(of another login .*npm run adopt -- --stack adopted/;

/** When the manifest of the only model was written. A pull rewrites it. */
async function modelModifiedAt(): Promise<string> {
  const response = await fetch("http://127.0.0.1:18618/api/tags");
  const { models } = (await response.json()) as { models: { modified_at: string }[] };
  expect(models).toHaveLength(1);
  return models[0]?.modified_at ?? "";
}

let installedAt: string;

/** Selects a buildx builder that has none of the engine's images, as `docker buildx use` does. */
function selectOtherBuilder(): void {
  const folder = join(project.folder, ".docker", "buildx");
  mkdirSync(join(folder, "instances"), { recursive: true });
  const node = { Name: "other0", Endpoint: project.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock" };
  const instance = { Name: "other", Driver: "docker-container", Nodes: [node], Dynamic: false };
  writeFileSync(join(folder, "instances", "other"), JSON.stringify(instance));
  writeFileSync(join(folder, "current"), JSON.stringify({ Key: "", Name: "other", Global: true }));
  project.env["DOCKER_CONFIG"] = join(project.folder, ".docker");
}

beforeAll(async () => {
  selectOtherBuilder();
  const { code, output } = await runScript("up", "adopted");
  expect(code, output).toBe(0);
  installedAt = await modelModifiedAt();
});
afterAll(async () => {
  await project.dispose();
  for (const stack of ["adopted", "taken-over"]) expect(leftovers(stack)).toEqual(nothingLeft);
});

it("the engine builds the gateway's image, whichever builder is selected", () => {
  const images = docker("image", "ls", "--format", "{{.Repository}}", "ollama-stack-adopted-gateway");
  expect(images).toBe("ollama-stack-adopted-gateway");
});

it("each object has labels for its project, stack, component and version", () => {
  for (const kind of ["container", "network", "volume"]) {
    const format = kind === "container" ? "{{.Names}}" : "{{.Name}}";
    const filter = "label=ollama-stack.stack=adopted";
    expect(docker(kind, "ls", "--format", format, "--filter", filter)).toMatch(/adopted/);
  }
  expect(inspect("ollama-stack-adopted-gateway", ".Config.Labels")).toMatchObject({
    "ollama-stack.project": "ollama-stack",
    "ollama-stack.component": "gateway",
    "ollama-stack.version": "0.1.0",
  });
});

describe("rejects an update that would create the stack again under another login", () => {
  /** The environment of a user with another login. */
  const otherLogin = (name: string, variables: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => {
    const folder = join(project.folder, name);
    mkdirSync(folder);
    return { PULUMI_BACKEND_URL: undefined, PULUMI_CREDENTIALS_PATH: folder, ...variables };
  };
  const objects = () =>
    ["container", "network", "volume"].map((kind) =>
      docker(kind, "ls", "--quiet", "--filter", "label=ollama-stack.stack=adopted"),
    );

  it("after pulumi login to another backend, which status also reports", async () => {
    const before = objects();
    const environment = otherLogin(".other-login");
    const backend = pathToFileURL(join(project.folder, ".other-login")).href;
    expect((await project.run("pulumi", ["login", backend], environment).done).code).toBe(0);
    const status = await runScriptWith(environment, "status", "adopted");
    expect(status.code).not.toBe(0);
    expect(status.output).toContain("use the login or PULUMI_BACKEND_URL that it was deployed with");
    const rejected = await runScriptWith(environment, "up", "adopted");
    expect(rejected.code).toBe(1);
    expect(rejected.output).toMatch(otherStateError);
    expect(objects()).toEqual(before);
  });

  it("with PULUMI_ACCESS_TOKEN, which selects Pulumi Cloud", async () => {
    const before = objects();
    const cloud = await FakePulumiCloud.start();
    onTestFinished(() => {
      cloud.stop();
    });
    const environment = otherLogin(".token", { PULUMI_API: cloud.url, PULUMI_ACCESS_TOKEN: "pul-token" });
    const rejected = await runScriptWith(environment, "up", "adopted");
    expect(rejected.code).toBe(1);
    expect(rejected.output).toMatch(otherStateError);
    expect([[...cloud.stacks], cloud.unknown]).toEqual([["ada/ollama-stack/adopted"], []]);
    expect(objects()).toEqual(before);
  });
});

it("adopts a stack without its state, and pulls nothing", async () => {
  rmSync(join(project.stateFolder, ".pulumi"), { recursive: true });
  const adopted = await runScript("adopt", "adopted", "--yes");
  expect(adopted.code, adopted.output).toBe(0);
  expect(adopted.output).toContain(`kept: the volumes ${volume}`);
  const up = await runScript("up", "adopted");
  expect(up.code, up.output).toBe(0);
  expect(await modelModifiedAt()).toBe(installedAt);
  expect((await runScript("adopt", "adopted")).output).toContain("Nothing to adopt");
});

it("adopts a renamed stack, which a preview rejects, keeps its volume and pulls nothing", async () => {
  await project.pulumi("stack", "rename", "taken-over", "--stack", "adopted");
  project.env["PULUMI_STACK"] = "taken-over";
  const preview = await runScript("preview", "taken-over");
  expect(preview.code).toBe(1);
  expect(preview.output).toMatch(
    /The stack was renamed to taken-over, but .* its model volume ollama-stack-adopted-ollama-models .*npm run adopt -- --stack taken-over/,
  );
  const adopted = await runScript("adopt", "taken-over", "--yes");
  expect(adopted.code, adopted.output).toBe(0);
  const up = await runScript("up", "taken-over");
  expect(up.code, up.output).toBe(0);
  expect(await modelModifiedAt()).toBe(installedAt);
  expect(docker("volume", "ls", "--quiet", "--filter", `name=${volume}`)).toBe(volume);
});

it("destroys a stack whose name Docker does not accept, which an update rejects", async () => {
  await project.pulumi("stack", "rename", "BugsUp", "--stack", "taken-over");
  project.env["PULUMI_STACK"] = "BugsUp";
  const rejected = await runScript("up", "BugsUp");
  expect(rejected.code).toBe(1);
  expect(rejected.output).toContain("The stack is called BugsUp, which Docker does not accept");
  const destroyed = await runScript("destroy", "BugsUp", "--yes");
  expect(destroyed.code, destroyed.output).toBe(0);
  expect(leftovers("taken-over")).toEqual(nothingLeft);
  expect(docker("volume", "rm", volume)).toBe(volume);
});

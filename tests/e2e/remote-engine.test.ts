import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { authorityPath } from "../../scripts/connect/edge-ca.ts";
import { docker } from "../../test-support/stack/by-hand.ts";
import { type EngineKind, PrivateEngine } from "../../test-support/engine/private-engine.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";
import { type SshServer, startSshServer } from "../../test-support/engine/ssh-server.ts";
import { nodeImage, ollamaImage, prometheusImage } from "../../toolchain/images.ts";
import { type Certificates, makeCertificates } from "./tls.ts";

// A second engine, reached over the network only: by TCP with TLS, then by ssh. Its ports are not this machine's.
const folder = mkdtempSync(join(tmpdir(), "ollama-stack-remote-"));
const kind: EngineKind = process.env["OLLAMA_STACK_TEST_ENGINE"] === "current" ? "current" : "machine";
let engine: PrivateEngine;
let certificates: Certificates;
let ssh: SshServer;
let project: Project;
const volume = "ollama-stack-far-ollama-models";

beforeAll(async () => {
  engine = await PrivateEngine.start({
    name: "far",
    kind,
    programs: nvidiaHook(),
    settings: ({ address }) => {
      certificates = makeCertificates(join(folder, "certificates"), address);
      const at = (file: string) => join(certificates.server, file);
      const tls = {
        tlsverify: true,
        tlscacert: at("ca.pem"),
        tlscert: at("cert.pem"),
        tlskey: at("key.pem"),
      };
      // As nvidia-ctk registers it.
      const runtimes = { nvidia: { path: "runc" } };
      return { ...tls, runtimes, hosts: [`tcp://${address}:2376`] };
    },
  });
  // The others are left for npm run up to make.
  await engine.copyImages([nodeImage(), ollamaImage(), prometheusImage()]);
  ssh = await startSshServer(engine);
  project = new Project({ stack: "far", ollamaPort: 18928, gatewayPort: 18920 });
  project.configure({
    dockerHost: `tcp://${engine.address}:2376`,
    dockerCertPath: certificates.client,
  });
  await project.pulumi("stack", "init", project.stack);
});
afterAll(async () => {
  try {
    await project.dispose();
    expect(leftovers(project.stack, engine)).toEqual(nothingLeft);
  } finally {
    await ssh.stop();
    await engine.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

/** By this program the engine takes it that it can hand out GPUs; NVIDIA's mounts the driver when a container starts. */
function nvidiaHook(): string {
  const programs = join(folder, "programs");
  mkdirSync(programs);
  writeFileSync(join(programs, "nvidia-container-runtime-hook"), "#!/bin/sh\n", { mode: 0o755 });
  return programs;
}

const script = (name: string, ...args: string[]) => [
  `scripts/commands/${name}.ts`,
  "--stack",
  project.stack,
  ...args,
];
async function succeeds(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { code, output } = await project.run(process.execPath, args, env).done;
  expect(code, output).toBe(0);
  return output;
}

/** Does something while npm run forward runs. */
async function forwarding(work: (said: string) => Promise<void>, env: NodeJS.ProcessEnv = {}): Promise<void> {
  const forward = project.run(process.execPath, script("forward"), env);
  const deadline = Date.now() + 60_000;
  while (!forward.output().includes("Ctrl-C") && Date.now() < deadline) await sleep(50);
  try {
    await work(forward.output());
  } finally {
    process.kill(-forward.pid, "SIGINT");
  }
  expect((await forward.done).code).toBe(0);
}

/** The status that an HTTPS URL answers with to who trusts an authority. */
function statusOf(url: string, ca: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const call = request(url, { ca }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    call.once("error", reject).end();
  });
}

describe("over TCP with TLS", () => {
  it("npm run up makes images, pulls the model and deploys there, and nothing here", async () => {
    const output = await succeeds(script("up"));
    expect(output).toMatch(/: \d+ % of \d/);
    expect(output).toMatch(/Asked .* for a joke; [\d.]+ s later:/);
    expect(output).toMatch(/From here: {2}npm run forward -- --stack far/);
    expect(leftovers(project.stack, engine).containers).toHaveLength(2);
    expect(leftovers(project.stack)).toEqual(nothingLeft);
  });

  it("changes nothing when it is run again", async () => {
    await project.pulumi("preview", "--expect-no-changes");
    await project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes");
  });

  it("passes the smoke tests", async () => {
    expect(await succeeds(script("smoke"))).toMatch(/\n\d+ passed, 0 failed/);
  });

  it("npm run forward brings its ports to this machine until it is interrupted", async () => {
    await forwarding(async (said) => {
      expect((await fetch("http://127.0.0.1:18920/ready")).status, said).toBe(200);
      expect((await fetch("http://127.0.0.1:18928/api/version")).status).toBe(200);
    });
    await expect(fetch("http://127.0.0.1:18920/ready")).rejects.toThrow();
    const containers = engine.docker("container", "ls", "--all", "--format", "{{.Names}}");
    expect(containers.trim().split("\n").sort()).toEqual([
      "ollama-stack-far-gateway",
      "ollama-stack-far-ollama",
      "ollama-stack-registry",
    ]);
  });

  it("a model that was deleted there is found by drift and preview, and pulled again", async () => {
    const { installedModels } = await project.outputs();
    const model = installedModels[0]?.model ?? "";
    engine.docker("exec", "ollama-stack-far-ollama", "ollama", "rm", model);
    const [drift, preview] = await Promise.all([
      project.run(process.execPath, script("drift")).done,
      project.pulumi("preview", "--diff"),
    ]);
    expect(drift.output).toMatch(new RegExp(`model ${model}.*removed`, "s"));
    expect(drift.code).toBe(2);
    expect(preview).toMatch(new RegExp(`model-${model}-pull`));
    await project.pulumi("up", "--yes", "--skip-preview");
    expect(engine.docker("exec", "ollama-stack-far-ollama", "ollama", "list")).toContain(model);
  });

  it("GPUs are asked for, and a model that runs on the CPU all the same fails the update", async () => {
    project.configure({ gpus: "1,0" });
    const { code, output } = await project.tryPulumi("up", "--yes", "--skip-preview");
    expect(code, output).not.toBe(0);
    expect(output).toMatch(
      /Model smollm2:135m runs on the CPU although gpus is set: GPU memory holds 0 B of its \d+\.\d MB \(\/api\/ps: size_vram 0, size \d+\)\. Check which GPUs/,
    );
    const format = "{{json .HostConfig.DeviceRequests}}";
    const requests = ["container", "inspect", "--format", format, "ollama-stack-far-ollama"];
    expect(JSON.parse(engine.docker(...requests))).toMatchObject([
      {
        Driver: "nvidia",
        Count: 0,
        DeviceIDs: expect.arrayContaining(["0", "1"]) as string[],
        Capabilities: [["gpu"]],
      },
    ]);
    // Nothing but the check is left to be done, neither by what the provider reads back nor by drift.
    const nothingButTheCheck = async (...gpus: string[]) => {
      const drift = project.run(process.execPath, script("drift")).done;
      const previews = gpus.map((each) =>
        project.pulumi("preview", "--refresh", ...project.otherConfig(each, { gpus: each })),
      );
      for (const preview of await Promise.all(previews))
        expect(preview).toMatch(/\+ 1 to create\n *\d+ unchanged/);
      expect((await drift).output).not.toMatch(/GPUs/);
    };
    await nothingButTheCheck("1,0");
    project.configure({ gpus: "all" });
    expect((await project.tryPulumi("up", "--yes", "--skip-preview")).code).not.toBe(0);
    expect(JSON.parse(engine.docker(...requests))).toMatchObject([
      { Driver: "nvidia", Count: -1, Capabilities: [["gpu"]] },
    ]);
    await nothingButTheCheck("all", "auto");
    project.configure({ gpus: undefined });
    await project.pulumi("up", "--yes", "--skip-preview");
    expect(engine.docker(...requests).trim()).toBe("null");
  });

  it("is found where a Docker context names it, with the certificates of the context", async () => {
    const { client } = certificates;
    const env = { DOCKER_CONFIG: join(folder, "docker"), DOCKER_CONTEXT: "far-with-tls", DOCKER_HOST: "" };
    const files = ["ca", "cert", "key"].map((file) => `${file}=${join(client, `${file}.pem`)}`);
    const endpoint = [`host=tcp://${engine.address}:2376`, ...files].join(",");
    execFileSync("docker", ["context", "create", "far-with-tls", "--docker", endpoint], {
      env: { ...process.env, DOCKER_CONFIG: env.DOCKER_CONFIG },
    });
    const printed = await succeeds(["scripts/commands/env.ts", "--stack", "none-such"], env);
    expect(printed).toContain(`tcp://${engine.address}:2376`);
    expect(printed).toMatch(/DOCKER_CERT_PATH=\S*contexts\/tls\/\S+\/docker/);
  });

  it("says in one line which file is missing, and that an unknown authority is not trusted", async () => {
    const other = makeCertificates(join(folder, "other"), engine.address);
    project.configure({ dockerCertPath: folder });
    expect((await project.tryPulumi("preview")).output).toMatch(
      /which lacks ca\.pem, cert\.pem, key\.pem: add/,
    );
    project.configure({ dockerCertPath: other.client });
    const { code, output } = await project.tryPulumi("preview");
    expect(code).not.toBe(0);
    expect(output).toMatch(
      /The Docker engine at tcp:.* does not respond: .*Client and engine do not trust each other/,
    );
    project.configure({ dockerCertPath: certificates.client });
  });
});

describe("over ssh", () => {
  beforeAll(() => {
    project.configure({ dockerHost: ssh.host, dockerCertPath: undefined, retainModels: true });
    // One of the same name on this machine is another stack's.
    docker("volume", "create", volume);
  });
  afterAll(() => {
    docker("volume", "rm", "--force", volume);
  });

  it("the same engine by another address is no move: nothing is made anew", async () => {
    const made = engine.docker("container", "inspect", "--format", "{{.Id}}", "ollama-stack-far-ollama");
    expect(await succeeds(script("up"), ssh.env)).toMatch(/Asked .* for a joke/);
    expect(engine.docker("container", "inspect", "--format", "{{.Id}}", "ollama-stack-far-ollama")).toBe(
      made,
    );
    expect((await project.run("pulumi", ["preview", "--expect-no-changes"], ssh.env).done).code).toBe(0);
  });

  it("a user who is not let in is told in one line", async () => {
    const { code, output } = await project.run("pulumi", ["preview"], ssh.strangersEnv).done;
    expect(code).not.toBe(0);
    expect(output).toMatch(
      /The Docker engine at ssh:.* does not respond: .*Permission denied.*Authorize this user's key/,
    );
  });

  it("another engine is a move, which is refused", async () => {
    project.configure({ dockerHost: undefined });
    const { code, output } = await project.run(process.execPath, script("up"), ssh.env).done;
    expect(code).not.toBe(0);
    expect(output).toMatch(
      /error: the stack far is deployed on the engine at ssh:.*, but its config selects this machine's engine\. Destroy it there with: npm run destroy -- --stack far/,
    );
    expect(leftovers(project.stack)).toEqual({ ...nothingLeft, volumes: [volume] });
    expect(leftovers(project.stack, engine).containers).toHaveLength(2);
  });

  it("npm run destroy takes it down there, its models too, whatever the config names", async () => {
    project.configure({ dockerHost: undefined });
    const output = await succeeds(script("destroy", "--yes", "--models", "delete"), ssh.env);
    expect(output).toMatch(new RegExp(`Deleted: the volume ${volume} \\(\\d.*[MG]B\\)`));
    expect(leftovers(project.stack, engine)).toEqual(nothingLeft);
    expect(leftovers(project.stack).volumes).toEqual([volume]);
  });

  it("brings a whole stack up, the model and an edge with TLS included", async () => {
    project.configure({ dockerHost: ssh.host, edge: "internal" });
    expect(await succeeds(script("up"), ssh.env)).toMatch(/Asked .* for a joke/);
    const file = join(folder, "root.crt");
    engine.docker("container", "cp", `ollama-stack-far-edge:${authorityPath}`, file);
    await forwarding(async (said) => {
      expect(said).toContain("gateway: https://localhost:18920\n");
      expect(await statusOf("https://localhost:18920/ready", readFileSync(file, "utf8"))).toBe(200);
    }, ssh.env);
  });

  it("and down: its models stay there, until npm run purge removes them there", async () => {
    const kept = `Kept: the volume ${volume} .*on the engine at ssh:`;
    expect(await succeeds(script("destroy", "--yes"), ssh.env)).toMatch(new RegExp(kept));
    expect(leftovers(project.stack, engine)).toEqual({ ...nothingLeft, volumes: [volume] });
    expect(await succeeds(script("purge", "--yes"), ssh.env)).toMatch(/Removed: 1/);
    expect(leftovers(project.stack, engine)).toEqual(nothingLeft);
    expect(leftovers(project.stack).volumes).toEqual([volume]);
  });
});

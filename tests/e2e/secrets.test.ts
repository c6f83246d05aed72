import { execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { docker, recreate } from "../../test-support/stack/by-hand.ts";
import { leftovers, Project } from "../../test-support/stack/project.ts";

// A key and a passphrase are planted, the stack is brought through its life, and then they are looked for everywhere.
const project = new Project({ stack: "hush", ollamaPort: 18808, gatewayPort: 18800 });
const containers = ["ollama-stack-hush-ollama", "ollama-stack-hush-gateway"];
const url = "http://127.0.0.1:18800";
const [first, second] = [newKey("ada", ["requests=600"]), newKey("ada", [])];
const stranger = newKey("eve", []).key;
const passphrase = project.env["PULUMI_CONFIG_PASSPHRASE"] ?? "";
const digestOf = (line: string) => /sha256=([0-9a-f]{64})/.exec(line)?.[1] ?? expect.fail("no digest");

/** Nothing but the clients, and the shells of those who run the stack, may have these. */
const secrets = { first: first.key, second: second.key, stranger, passphrase };
/** Secret in the config: only the gateways have the one of now, in a volume of theirs, to compare keys with. */
const digests = { "first's digest": digestOf(first.line), "second's digest": digestOf(second.line) };
let current = first;

/** What every command has printed. */
const outputs: { readonly command: string; readonly output: string }[] = [];
/** Command lines of all processes, seen while commands ran. */
const commandLines = new Set<string>();

/** The names of the secrets that are in a text, in the clear or in base64. */
function found(
  text: string | Buffer,
  wanted: Readonly<Record<string, string>> = { ...secrets, ...digests },
): string[] {
  return Object.entries(wanted)
    .filter(([, secret]) =>
      [secret, Buffer.from(secret).toString("base64").replace(/=+$/, "")].some((form) => text.includes(form)),
    )
    .map(([name]) => name);
}

const processes = (file: "environ" | "cmdline" | "cgroup") =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [{ pid, text: readFileSync(`/proc/${pid}/${file}`, "latin1") }];
      } catch {
        // It has ended, or is somebody else's.
        return [];
      }
    });

async function run(command: string, args: readonly string[], expected: number): Promise<string> {
  const { done } = project.run(command, args, { OLLAMA_STACK_API_KEY: current.key });
  const ended = done.then(() => true);
  do for (const { text } of processes("cmdline")) commandLines.add(text);
  while (!(await Promise.race([ended, sleep(100, false)])));
  const { code, output } = await done;
  outputs.push({ command: [command === process.execPath ? "node" : command, ...args].join(" "), output });
  expect(code, output).toBe(expected);
  return output;
}
const script = (name: string, expected: number, ...args: string[]) =>
  run(process.execPath, [`scripts/commands/${name}.ts`, "--stack", project.stack, ...args], expected);
const pulumi = (...args: string[]) => run("pulumi", args, 0);

const ask = (bearer: string, path = "/v1/models") =>
  fetch(`${url}${path}`, { headers: { authorization: `Bearer ${bearer}` } });

/** A secret value of the config, as `pulumi config set --secret` writes it, from its standard input. */
async function setKey(value: typeof first): Promise<void> {
  current = value;
  const child = spawn(
    "pulumi",
    ["config", "set", "--stack", project.stack, "--secret", "--path", "gatewayApiKeys[0]"],
    {
      cwd: project.folder,
      env: project.env,
      stdio: ["pipe", "ignore", "inherit"],
    },
  );
  child.stdin.end(value.line);
  expect(await new Promise((resolve) => child.once("close", resolve))).toBe(0);
}

beforeAll(async () => {
  await project.pulumi("stack", "init", project.stack);
  await setKey(first);
  project.configure({ gatewayLogLevel: "trace" });
  await script("up", 0);
  // Those who are let in and those who are not, also with a key where none belongs.
  expect((await ask(first.key)).status).toBe(200);
  expect((await ask(stranger)).status).toBe(401);
  expect((await ask(first.key, `/v1/models/${stranger}?api_key=${stranger}`)).status).toBe(404);
  await setKey(second);
  await Promise.all([script("preview", 0), pulumi("preview", "--diff"), pulumi("preview", "--json")]);
  // An update that fails shows the last lines of the gateway's log and the command that failed.
  const undo = project.edit(
    "gateway/src/server.ts",
    (text) => `${text}\nthrow new Error("planted crash");\n`,
  );
  await script("up", 1);
  undo();
  await run("pulumi", ["up", "--yes", "--diff"], 0);
  await recreate("ollama-stack-hush-gateway", (creation) => {
    creation.Env = creation.Env.map((entry) => entry.replace(/^API_KEYS_FILE=.*/, `API_KEYS=${first.line}`));
  });
  await script("drift", 2);
  await script("up", 0);
  await pulumi("refresh", "--yes", "--diff");
  await pulumi("stack", "output");
  await pulumi("stack", "export");
  await pulumi("config");
});
afterAll(async () => {
  await script("destroy", 0, "--yes");
  for (const { command, output } of outputs) expect(found(output), command).toEqual([]);
  await project.dispose();
  expect(leftovers(project.stack)).toEqual({ containers: [], networks: [], volumes: [], images: [] });
});

describe("a planted secret is", () => {
  it("in the output of no command", () => {
    expect(outputs.length).toBeGreaterThan(10);
    for (const { command, output } of outputs) expect(found(output), command).toEqual([]);
  });

  it("in no file of the stack: state, its history and backups, config, bundle", () => {
    const files = readdirSync(project.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
      .map((entry) => join(entry.parentPath, entry.name));
    expect(
      files.some((file) => file.endsWith(`.state/.pulumi/stacks/ollama-stack/${project.stack}.json`)),
    ).toBe(true);
    for (const file of files) expect(found(readFileSync(file)), file).toEqual([]);
  });

  it("in nothing that the engine tells of containers, images, network and volumes", () => {
    const inspected = (...names: string[]) => docker("inspect", ...names);
    expect(found(inspected(...containers))).toEqual([]);
    const images = containers.map((name) => docker("container", "inspect", "--format", "{{.Image}}", name));
    expect(
      found(
        inspected(
          ...images,
          "ollama_network_hush",
          "ollama-stack-hush-ollama-models",
          "ollama-stack-hush-gateway-keys",
        ),
      ),
    ).toEqual([]);
    for (const image of images) expect(found(docker("image", "history", "--no-trunc", image))).toEqual([]);
  });

  it("in no log, though the gateway logs all it can", () => {
    for (const name of containers) {
      const log = execFileSync("sh", ["-c", 'docker container logs "$0" 2>&1', name], { encoding: "utf8" });
      expect(log.length, name).toBeGreaterThan(100);
      expect(found(log), name).toEqual([]);
    }
  });

  it("in no file of the gateway's container", () => {
    const tar = execFileSync("docker", ["container", "export", "ollama-stack-hush-gateway"], {
      maxBuffer: 2 ** 30,
    });
    expect(tar.includes("server.cjs")).toBe(true);
    expect(found(tar)).toEqual([]);
  });

  it("on no command line, and in the environment of no process that is left", async () => {
    expect(commandLines.size).toBeGreaterThan(10);
    for (const text of commandLines) expect(found(text)).toEqual([]);
    // By their control groups: an engine may count processes in a namespace of its own.
    const ids = containers.map((name) => docker("container", "inspect", "--format", "{{.Id}}", name).trim());
    let all: ReturnType<typeof processes> = [];
    const areAllSeen = () => {
      const inside = processes("cgroup").flatMap(({ pid, text }) =>
        ids.some((id) => text.includes(id)) ? [pid] : [],
      );
      const counted = containers.flatMap((name) =>
        docker("top", name, "-eo", "pid").trim().split("\n").slice(1),
      );
      all = processes("environ");
      return all.filter(({ pid }) => inside.includes(pid)).length === counted.length;
    };
    // A health check that begins or ends between the looks is in some of them only.
    await expect.poll(areAllSeen).toBe(true);
    for (const { pid, text } of all) expect(found(text), pid).toEqual([]);
  });
});

describe("a secret in another key of the config", () => {
  it("is refused before anything is made of it", async () => {
    const set = [
      "config",
      "set",
      "--stack",
      project.stack,
      "--secret",
      "gatewayBaseImage",
      "planted/image:1",
    ];
    await project.pulumi(...set);
    const { code, output } = await project.tryPulumi("preview", "--diff");
    expect(code).not.toBe(0);
    expect(output).toMatch(
      /ollama-stack:gatewayBaseImage is a secret, but preview, state and containers would show it/,
    );
    expect(output).not.toContain("planted/image");
    await project.pulumi("config", "rm", "--stack", project.stack, "gatewayBaseImage");
  });
});

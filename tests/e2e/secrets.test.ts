import { execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { docker, recreate } from "../../test-support/stack/by-hand.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";

// Plants keys and a passphrase, runs the stack through its lifecycle, and then searches for the secrets everywhere.
const project = new Project({ stack: "hush", ollamaPort: 18808, gatewayPort: 18800 });
const containers = ["ollama-stack-hush-ollama", "ollama-stack-hush-gateway"];
const url = "http://127.0.0.1:18800";
const [first, second] = [newKey("ada", ["requests=600"]), newKey("ada", [])];
const stranger = newKey("eve", []).key;
const passphrase = project.env["PULUMI_CONFIG_PASSPHRASE"] ?? "";
const digestOf = (line: string) => /sha256=([0-9a-f]{64})/.exec(line)?.[1] ?? expect.fail("no digest");

/** Only clients and the shells of operators may have these. */
const secrets = { first: first.key, second: second.key, stranger, passphrase };
/** Secret in the config: only the gateways have the current one, in their own volume, to compare keys with. */
const digests = { "first's digest": digestOf(first.line), "second's digest": digestOf(second.line) };
let current = first;

/** The output of every command. */
const outputs: { readonly command: string; readonly output: string }[] = [];
/** The command lines of all processes while commands ran. */
const commandLines = new Set<string>();

/** Base64 of a secret at each of the three offsets that it can have in an encoded text, without what its neighbours change. */
function base64Forms(secret: string): string[] {
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.from(" ".repeat(offset) + secret).toString("base64");
    const complete = Math.floor(((offset + Buffer.byteLength(secret)) * 8) / 6);
    return encoded.slice(Math.ceil((offset * 8) / 6), complete);
  });
}

/** The names of the secrets that a text contains, in plain text or base64. */
function findSecrets(
  text: string | Buffer,
  candidates: Readonly<Record<string, string>> = { ...secrets, ...digests },
): string[] {
  return Object.entries(candidates)
    .filter(([, secret]) => [secret, ...base64Forms(secret)].some((form) => text.includes(form)))
    .map(([name]) => name);
}

const processes = (file: "environ" | "cmdline" | "cgroup") =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [{ pid, text: readFileSync(`/proc/${pid}/${file}`, "latin1") }];
      } catch {
        // The process has ended, or belongs to another user.
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

const request = (bearer: string, path = "/v1/models") =>
  fetch(`${url}${path}`, { headers: { authorization: `Bearer ${bearer}` } });

/** Sets the key's line as a secret with `pulumi config set --secret`, which reads it from standard input. */
async function setKey(key: typeof first): Promise<void> {
  current = key;
  const child = spawn(
    "pulumi",
    ["config", "set", "--stack", project.stack, "--secret", "--path", "gatewayApiKeys[0]"],
    {
      cwd: project.folder,
      env: project.env,
      stdio: ["pipe", "ignore", "inherit"],
    },
  );
  child.stdin.end(key.line);
  expect(await new Promise((resolve) => child.once("close", resolve))).toBe(0);
}

beforeAll(async () => {
  await project.pulumi("stack", "init", project.stack);
  await setKey(first);
  project.configure({ gatewayLogLevel: "trace" });
  await script("up", 0);
  // Valid and invalid keys, and a key in places where none belongs.
  expect((await request(first.key)).status).toBe(200);
  expect((await request(stranger)).status).toBe(401);
  expect((await request(first.key, `/v1/models/${stranger}?api_key=${stranger}`)).status).toBe(404);
  await setKey(second);
  await Promise.all([script("preview", 0), pulumi("preview", "--diff"), pulumi("preview", "--json")]);
  // A failed update prints the last lines of the gateway's log and the failed command.
  const undo = project.edit(
    "gateway/src/server.ts",
    (text) => `${text}\nthrow new Error("planted crash");\n`,
  );
  expect(await script("up", 1)).toMatch(
    /Container ollama-stack-hush-gateway (crashed|exited)[^]*Its last log lines:\n(.*\n)*.*planted crash/,
  );
  undo();
  await pulumi("up", "--yes", "--diff");
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
  for (const { command, output } of outputs) expect(findSecrets(output), command).toEqual([]);
  await project.dispose();
  expect(leftovers(project.stack)).toEqual(nothingLeft);
});

describe("a planted secret is", () => {
  it("in the output of no command", () => {
    expect(outputs.length).toBeGreaterThan(10);
    for (const { command, output } of outputs) expect(findSecrets(output), command).toEqual([]);
  });

  it("in no file of the stack: state, its history and backups, config, bundle", () => {
    const files = readdirSync(project.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
      .map((entry) => join(entry.parentPath, entry.name));
    expect(
      files.some((file) => file.endsWith(`.state/.pulumi/stacks/ollama-stack/${project.stack}.json`)),
    ).toBe(true);
    for (const file of files) expect(findSecrets(readFileSync(file)), file).toEqual([]);
  });

  it("in nothing that the engine reports about containers, images, network and volumes", () => {
    const inspected = (...names: string[]) => docker("inspect", ...names);
    expect(findSecrets(inspected(...containers))).toEqual([]);
    const images = containers.map((name) => docker("container", "inspect", "--format", "{{.Image}}", name));
    expect(
      findSecrets(
        inspected(
          ...images,
          "ollama_network_hush",
          "ollama-stack-hush-ollama-models",
          "ollama-stack-hush-gateway-keys",
        ),
      ),
    ).toEqual([]);
    for (const image of images)
      expect(findSecrets(docker("image", "history", "--no-trunc", image))).toEqual([]);
  });

  it("in no log, even with the gateway's log level trace", () => {
    for (const name of containers) {
      const log = execFileSync("sh", ["-c", 'docker container logs "$0" 2>&1', name], { encoding: "utf8" });
      expect(log.length, name).toBeGreaterThan(100);
      expect(findSecrets(log), name).toEqual([]);
    }
  });

  it("in no file of the gateway's container", () => {
    const tar = execFileSync("docker", ["container", "export", "ollama-stack-hush-gateway"], {
      maxBuffer: 2 ** 30,
    });
    expect(tar.includes("server.cjs")).toBe(true);
    expect(findSecrets(tar)).toEqual([]);
  });

  it("on no command line, and in the environment of no running process", async () => {
    expect(commandLines.size).toBeGreaterThan(10);
    for (const text of commandLines) expect(findSecrets(text)).toEqual([]);
    // Matched by control group, because the engine may number processes in its own namespace.
    const ids = containers.map((name) => docker("container", "inspect", "--format", "{{.Id}}", name).trim());
    let all: ReturnType<typeof processes> = [];
    const isComplete = () => {
      const inside = processes("cgroup").flatMap(({ pid, text }) =>
        ids.some((id) => text.includes(id)) ? [pid] : [],
      );
      const counted = containers.flatMap((name) =>
        docker("top", name, "-eo", "pid").trim().split("\n").slice(1),
      );
      all = processes("environ");
      return all.filter(({ pid }) => inside.includes(pid)).length === counted.length;
    };
    // A health check that starts or ends in between is in only some of the lists.
    await expect.poll(isComplete).toBe(true);
    for (const { pid, text } of all) expect(findSecrets(text), pid).toEqual([]);
  });
});

describe("a secret in another key of the config", () => {
  it("is rejected before it is used", async () => {
    const options = ["--stack", project.stack];
    await project.pulumi("config", "set", ...options, "--secret", "gatewayBaseImage", "planted/image:1");
    const { code, output } = await project.tryPulumi("preview", "--diff");
    expect(code).not.toBe(0);
    expect(output).toMatch(
      /ollama-stack:gatewayBaseImage is a secret, but preview, state and containers would show it/,
    );
    expect(output).not.toContain("planted/image");
    await project.pulumi("config", "rm", ...options, "gatewayBaseImage");
  });
});

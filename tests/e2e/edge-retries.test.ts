import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fetch } from "undici";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { caddyfile } from "../../components/resources/edge-config/caddyfile.ts";
import { docker } from "../../engine/docker-cli.ts";

// The edge with the configuration that a stack's has, and gateways that die at a given moment.

const network = "ollama-stack-retries";
const gateways = "ollama-stack-retries-gateways";
const edge = "ollama-stack-retries-edge";
let root = "";

/** The image that a stack has by default. */
function image(key: "edgeImage" | "gatewayBaseImage"): string {
  const read = (file: string) => (parse(readFileSync(file, "utf8")) as { config: object }).config;
  const given = process.env["OLLAMA_STACK_WORLD"] === "built" ? read("Pulumi.local.yaml") : {};
  const all = { ...read("Pulumi.yaml"), ...given } as Record<string, unknown>;
  const own = all[`ollama-stack:${key}`] ?? (all[key] as { default: string }).default;
  return own as string;
}

/** Starts a container in the network that runs a command on a file of its own. */
async function run(
  name: string,
  from: string,
  file: { readonly source: string; readonly target: string },
  options: readonly string[],
  command: readonly string[],
): Promise<void> {
  const joined = ["--name", name, "--network", network, ...options];
  await docker(["container", "create", ...joined, from, ...command, file.target]);
  await docker(["container", "cp", file.source, `${name}:${file.target}`]);
  await docker(["container", "start", name]);
}

async function remove(): Promise<void> {
  await docker(["container", "rm", "--force", "--volumes", gateways, edge]).catch(() => undefined);
  await docker(["network", "rm", network]).catch(() => undefined);
}

interface Question {
  readonly path?: string;
  /** Bytes. */
  readonly length: number;
  /** Whether the request says how long it is. */
  readonly told?: boolean;
  /** When the first gateway dies of it; otherwise it answers. */
  readonly die?: "soon" | "told";
}

function ask(question: string, { path = "/v1/chat/completions", length, told = true, die }: Question) {
  const body = Buffer.alloc(length, "x");
  return fetch(root + path, {
    method: "POST",
    headers: { question, ...(die === undefined ? {} : { die }) },
    body: told ? body : new Blob([body]).stream(),
    duplex: "half",
  });
}

async function reached(question: string): Promise<string[] | undefined> {
  const response = await fetch(`${root}/reached`);
  return ((await response.json()) as Record<string, string[]>)[question];
}

/** Waits until the edge asks the first gateway. */
function first(): Promise<void> {
  const asksFirst = async () => {
    const response = await fetch(root);
    expect(await response.json()).toEqual({ gateway: "first", bytes: 0 });
  };
  return vi.waitFor(asksFirst, { timeout: 10_000, interval: 100 });
}

let long: { readonly asked: number; readonly answer: ReturnType<typeof ask> };

beforeAll(async () => {
  await remove();
  const folder = mkdtempSync(join(tmpdir(), "ollama-stack-retries-"));
  const source = join(folder, "Caddyfile");
  const none = { hostnames: [], acmeDirectory: "", acmeEmail: "", acmeRoot: false };
  const to = [8001, 8002].map((port) => ({ host: "gateways", port }));
  writeFileSync(source, caddyfile({ mode: "http", gateways: to, ...none }));
  try {
    await docker(["network", "create", network]);
    const program = { source: "tests/e2e/dying-gateway.ts", target: "/dying-gateway.ts" };
    await run(gateways, image("gatewayBaseImage"), program, ["--network-alias", "gateways"], ["node"]);
    const published = ["--publish", "127.0.0.1::80", "--env", "XDG_DATA_HOME=/data"];
    const command = ["caddy", "run", "--adapter", "caddyfile", "--config"];
    await run(edge, image("edgeImage"), { source, target: "/Caddyfile" }, published, command);
  } finally {
    rmSync(folder, { recursive: true });
  }
  root = `http://${(await docker(["container", "port", edge, "80/tcp"])).trim()}`;
  await first();
  long = { asked: performance.now(), answer: ask("long worked on", { length: 1000, die: "told" }) };
});
afterAll(remove);

describe("when a gateway dies, the edge", () => {
  it.each<[string, Question]>([
    ["a question", { length: 999_999 }],
    ["a question of untold length", { length: 5000, told: false }],
  ])("asks the other one %s that was not answered yet", async (name, question) => {
    await first();
    const response = await ask(name, { ...question, die: "soon" });
    expect(await response.json()).toEqual({ gateway: "second", bytes: question.length });
    expect(await reached(name)).toEqual(["first", "second"]);
  });

  it.each<[string, Question]>([
    ["a question too long to be kept", { length: 3_000_000 }],
    ["one of untold length", { length: 3_000_000, told: false }],
    ["a model's file", { length: 5000, path: "/api/blobs/sha256:0" }],
  ])("says at once that %s has failed, and never sends a part of it", async (name, question) => {
    await first();
    const before = performance.now();
    const response = await ask(name, { ...question, die: "soon" });
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ error: { code: "gateway_unreachable" } });
    expect(performance.now() - before).toBeLessThan(5000);
    // The edge does not know yet that it died, and what never got there is whole still.
    const another = await ask(`${name}, again`, question);
    expect(await another.json()).toEqual({ gateway: "second", bytes: question.length });
    expect(await reached(name)).toEqual(["first"]);
  });

  it("asks the other one what was worked on for longer than the edge looks for a gateway", async () => {
    await sleep(long.asked + 16_000 - performance.now());
    await first();
    await fetch(`${root}/die`);
    const response = await long.answer;
    expect(await response.json()).toEqual({ gateway: "second", bytes: 1000 });
    expect(await reached("long worked on")).toEqual(["first", "second"]);
  });
});

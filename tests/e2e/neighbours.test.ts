import { execFileSync } from "node:child_process";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dropCommands } from "../../components/planning/network/packet-filter.ts";
import { type EngineKind, PrivateEngine } from "../../test-support/engine/private-engine.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";

// This machine is a neighbour of the engine's host: it routes the containers' subnet there, as anybody on a network can.
const kind: EngineKind = process.env["OLLAMA_STACK_TEST_ENGINE"] === "current" ? "current" : "machine";
const subnet = "10.231.0.0/16";
const warning = /lets other hosts on its network reach containers.*moby#45610/;
let engine: PrivateEngine;
let project: Project;
let isOpen: boolean;

beforeAll(async () => {
  engine = await PrivateEngine.start({
    name: "near",
    kind,
    // No network of this machine's own engine.
    settings: () => ({ "default-address-pools": [{ base: subnet, size: 24 }] }),
  });
  // Docker 28 is the first with 1.48.
  const [, minor] = engine.docker("version", "--format", "{{.Server.APIVersion}}").split(".");
  isOpen = Number(minor) < 48;
  await engine.provide();
  project = new Project({ stack: "near", ollamaPort: 18838, gatewayPort: 18830, engine });
  await project.pulumi("stack", "init", project.stack);
  execFileSync("ip", ["route", "replace", subnet, "via", engine.address]);
});
afterAll(async () => {
  try {
    await project.dispose();
    expect(leftovers(project.stack, engine)).toEqual(nothingLeft);
  } finally {
    execFileSync("ip", ["route", "del", subnet]);
    await engine.stop();
  }
});

const up = () => project.run(process.execPath, ["scripts/commands/up.ts", "--stack", project.stack]).done;

/** What preview says of the rules for production. */
async function production(): Promise<string> {
  project.configure({ production: true });
  const { output } = await project.tryPulumi("preview", "--policy-pack", "policy");
  project.configure({ production: undefined });
  expect(output).toContain("keys-required");
  return output;
}

/** Whether this machine gets a connection to a port of a container at the container's own address. */
function reaches(container: string, port: number): Promise<boolean> {
  const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
  const host = engine.docker("container", "inspect", "--format", format, container).trim();
  expect(host).toMatch(/^10\.231\./);
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 3000 });
    const end = (connected: boolean) => {
      socket.destroy();
      resolve(connected);
    };
    socket.once("connect", () => {
      end(true);
    });
    for (const event of ["timeout", "error"]) {
      socket.once(event, () => {
        end(false);
      });
    }
  });
}

const neighbourReaches = async () => [
  await reaches("ollama-stack-near-ollama", 11434),
  await reaches("ollama-stack-near-gateway", 8000),
];

/** The status of the gateway for a request with a Host header of its own. */
function statusFor(host: string): number {
  const script = `
    const options = { host: "127.0.0.1", port: 18830, path: "/v1/models", headers: { host: process.argv[1] } };
    require("node:http").get(options, (response) => {
      console.log(response.statusCode);
      response.destroy();
    });`;
  const [command, args] = engine.enter(process.execPath, ["--input-type=commonjs", "--eval", script, host]);
  return Number(execFileSync(command, args, { encoding: "utf8" }));
}

describe("a neighbour of the engine's host", () => {
  it("reaches containers past their loopback ports before Docker 28, which the update says", async () => {
    const { code, output } = await up();
    expect(code, output).toBe(0);
    expect(warning.test(output)).toBe(isOpen);
    expect(await neighbourReaches()).toEqual([isOpen, isOpen]);
  });

  it("is refused for production then", async () => {
    expect((await production()).includes("neighbours-kept-out")).toBe(isOpen);
  });

  it("is kept out by the commands that the update names, and nothing else changes", async () => {
    if (isOpen) {
      for (const line of dropCommands) {
        const [command, args] = engine.enter("sh", ["-c", line]);
        execFileSync(command, args);
      }
    }
    expect(await neighbourReaches()).toEqual([false, false]);
    expect(engine.fetch("http://127.0.0.1:18830/ready").status).toBe(200);
    expect(engine.fetch("http://127.0.0.1:18838/api/version").status).toBe(200);
    expect(await production()).not.toContain("neighbours-kept-out");
    const { code, output } = await up();
    expect(code, output).toBe(0);
    expect(output).not.toMatch(warning);
    expect(output).toMatch(/for a joke; [\d.]+ s later/);
  });
});

it("a page that has its own name lead to the gateway is refused, the stack's own names are not", () => {
  expect(statusFor("evil.example:18830")).toBe(421);
  for (const host of [
    "localhost:18830",
    "gateway:8000",
    "ollama-stack-near-gateway",
    "gateway.ollama_network_near",
  ])
    expect([host, statusFor(host)]).toEqual([host, 200]);
});

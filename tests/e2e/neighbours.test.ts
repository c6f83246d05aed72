import { execFileSync } from "node:child_process";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dropCommands } from "../../components/planning/network/packet-filter.ts";
import { type EngineKind, PrivateEngine } from "../../test-support/engine/private-engine.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";

// This machine acts as a neighbour of the engine's host: it routes the containers' subnet there, as any host on its
// network can.
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
    // Does not overlap with the networks of this machine's own engine.
    settings: () => ({ "default-address-pools": [{ base: subnet, size: 24 }] }),
  });
  // Docker 28 introduced API version 1.48.
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

/** The output of a preview with the production policies. */
async function previewForProduction(): Promise<string> {
  project.configure({ production: true });
  const { output } = await project.tryPulumi("preview", "--policy-pack", "policy");
  project.configure({ production: undefined });
  expect(output).toContain("keys-required");
  return output;
}

/** Whether this machine can connect to a port of a container at the container's own address. */
function canConnect(container: string, port: number): Promise<boolean> {
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

const connections = async () => [
  await canConnect("ollama-stack-near-ollama", 11434),
  await canConnect("ollama-stack-near-gateway", 8000),
];

/** The gateway's status for a request with the given Host header. */
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
  it("can connect to containers directly before Docker 28, and the update warns about it", async () => {
    const { code, output } = await up();
    expect(code, output).toBe(0);
    expect(warning.test(output)).toBe(isOpen);
    expect(await connections()).toEqual([isOpen, isOpen]);
  });

  it("violates the production policy in that case", async () => {
    expect((await previewForProduction()).includes("neighbours-kept-out")).toBe(isOpen);
  });

  it("is blocked by the commands that the update prints, and nothing else changes", async () => {
    // Without a command, this would test the same as above.
    if (!isOpen) return;
    for (const line of dropCommands) {
      const [command, args] = engine.enter("sh", ["-c", line]);
      execFileSync(command, args);
    }
    expect(await connections()).toEqual([false, false]);
    expect(engine.fetch("http://127.0.0.1:18830/ready").status).toBe(200);
    expect(engine.fetch("http://127.0.0.1:18838/api/version").status).toBe(200);
    expect(await previewForProduction()).not.toContain("neighbours-kept-out");
    const { code, output } = await up();
    expect(code, output).toBe(0);
    expect(output).not.toMatch(warning);
    expect(output).toMatch(/Sample response from \S+ after [\d.]+ s:/);
  });
});

it("rejects foreign host names that resolve to the gateway, and accepts the stack's own names", () => {
  expect(statusFor("evil.example:18830")).toBe(421);
  for (const host of [
    "localhost:18830",
    "gateway:8000",
    "ollama-stack-near-gateway",
    "gateway.ollama_network_near",
  ])
    expect([host, statusFor(host)]).toEqual([host, 200]);
});

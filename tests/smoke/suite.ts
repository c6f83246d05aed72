import { beforeAll, describe, expect, it } from "vitest";
import { containerState, docker } from "../../engine/docker-cli.ts";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { trustEdge } from "../../scripts/connect/edge-ca.ts";
import { chatWith, testGateway } from "./gateway-tests.ts";

/**
 * Tests for any stack deployed on an engine. The order matters: the logs are checked before Ollama is stopped, because
 * the gateway logs the outage as an error.
 */
export function describeSmoke(deployed: () => StackOutputs): void {
  describe("smoke", () => {
    let stack: StackOutputs;
    let model: string;
    const startedAt = new Date(Date.now() - 1000).toISOString();
    beforeAll(async () => {
      stack = deployed();
      await trustEdge(stack);
      model = stack.installedModels[0]?.model ?? "";
    });

    const chat = (body: unknown) => chatWith(stack.gatewayUrl, body);

    it("runs every container healthy", async () => {
      for (const name of [...stack.replicas.gateway, ...stack.replicas.ollama]) {
        await expect
          .poll(async () => (await containerState(name))?.health, { timeout: 60_000, interval: 500 })
          .toBe("healthy");
        expect(await containerState(name)).toMatchObject({
          status: "running",
          restarts: 0,
          outOfMemory: false,
        });
      }
    });

    it("has the models with the digests of the outputs", async () => {
      const response = await fetch(`${stack.ollamaUrl}/api/tags`);
      const { models } = (await response.json()) as {
        models: { name: string; digest: string; size: number }[];
      };
      for (const { model: name, digest, sizeBytes } of stack.installedModels) {
        expect(models).toContainEqual(expect.objectContaining({ name, digest, size: sizeBytes }));
      }
    });

    it("generates through Ollama's own API", async () => {
      const response = await fetch(`${stack.ollamaUrl}/api/generate`, {
        method: "POST",
        body: JSON.stringify({ model, prompt: "The sky is", stream: false, options: { num_predict: 8 } }),
      });
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({
        done: true,
        response: expect.stringMatching(/\S/) as string,
      });
    });

    testGateway(() => ({
      url: stack.gatewayUrl,
      models: stack.installedModels.map(({ model: name }) => name),
    }));

    it("stays within its memory limits according to docker stats", async () => {
      const names = Object.values(stack.containers);
      const format = "{{.Name}}\t{{.MemUsage}}\t{{.CPUPerc}}\t{{.PIDs}}";
      const text = await docker(["container", "stats", "--no-stream", "--format", format, ...names]);
      console.log(`NAME\tMEMORY\tCPU\tPIDS\n${text}`);
      const rows = text
        .trim()
        .split("\n")
        .map((line) => line.split("\t"));
      expect(rows.map(([name]) => name).toSorted()).toEqual(names.toSorted());
      for (const [name, memory = "", cpu = "", processes] of rows) {
        const [used = 0, limit = 0] = memory.split(" / ").map(bytesOf);
        expect(used, `memory of ${name}`).toBeGreaterThan(0);
        expect(used, `memory of ${name}`).toBeLessThan(limit);
        expect(Number.parseFloat(cpu), `CPU of ${name}`).toBeGreaterThanOrEqual(0);
        expect(Number(processes), `processes of ${name}`).toBeGreaterThan(0);
      }
    });

    it("logs no errors", async () => {
      for (const name of Object.values(stack.containers)) {
        const log = await docker(["container", "logs", "--since", startedAt, name], { merge: true });
        const errors = log
          .split("\n")
          .filter((line) => /level=(ERROR|FATAL)|"level":"?(50|60|error|fatal)|panic:/i.test(line));
        expect(errors, name).toEqual([]);
      }
    });

    it("returns 503 while Ollama is stopped, and recovers once it is back", async () => {
      const messages = [{ role: "user", content: "Hi" }];
      await docker(["container", "stop", stack.containers.ollama]);
      try {
        const response = await chat({ model, messages, max_tokens: 4 });
        expect(response.status).toBe(503);
        expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
        expect(await response.json()).toMatchObject({
          error: { message: expect.stringContaining("Ollama") as string },
        });
        await expect.poll(async () => (await fetch(`${stack.gatewayUrl}/ready`)).status).toBe(503);
        expect((await fetch(`${stack.gatewayUrl}/health`)).status).toBe(200);
      } finally {
        await docker(["container", "start", stack.containers.ollama]);
      }
      await expect
        .poll(async () => (await fetch(`${stack.gatewayUrl}/ready`)).status, {
          timeout: 60_000,
          interval: 200,
        })
        .toBe(200);
      expect((await chat({ model, messages, max_tokens: 4 })).status).toBe(200);
    });
  });
}

/** Parses an amount of memory as Docker prints it: `45.94MiB`. */
function bytesOf(text: string): number {
  const exponent = ["B", "KiB", "MiB", "GiB", "TiB"].indexOf(text.replace(/[\d.]/g, ""));
  return Number.parseFloat(text) * 1024 ** exponent;
}

import OpenAI from "openai";
import { beforeAll, describe, expect, it } from "vitest";
import { containerState, docker } from "../../engine/docker-cli.ts";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { askForJoke } from "../../scripts/connect/sample-prompt.ts";
import { trustEdge } from "../../scripts/connect/edge-ca.ts";

interface Completion {
  choices: { message: { role: string; content: string }; finish_reason: string }[];
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

/**
 * What must hold on any deployed stack. The order matters once: logs are searched before Ollama is stopped, which
 * makes the gateway report it.
 */
export function describeSmoke(deployed: () => StackOutputs): void {
  describe("smoke", () => {
    let stack: StackOutputs;
    let model: string;
    // A stack with keys is tested with this one.
    const apiKey = process.env["OLLAMA_STACK_API_KEY"];
    const headers = {
      "content-type": "application/json",
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    };
    const startedAt = new Date(Date.now() - 1000).toISOString();
    beforeAll(async () => {
      stack = deployed();
      await trustEdge(stack);
      model = stack.installedModels[0]?.model ?? "";
    });

    const chat = (body: unknown): Promise<Response> =>
      fetch(`${stack.gatewayUrl}/v1/chat/completions`, {
        method: "POST",
        headers,
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
    const complete = async (messages: object[], more: object = {}): Promise<Completion> => {
      const response = await chat({ model, messages, temperature: 0, seed: 1, max_tokens: 24, ...more });
      expect(response.status).toBe(200);
      return (await response.json()) as Completion;
    };

    it("runs every container, healthy", async () => {
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

    it("has the models, with the digests of the outputs", async () => {
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

    it("tells a joke through the gateway", async () => {
      const { text, seconds } = await askForJoke({ gatewayUrl: stack.gatewayUrl, apiKey }, model);
      // How long a model takes is the machine's matter, and whoever runs this wants to know it.
      console.log(`A joke took ${seconds.toFixed(1)} s`);
      expect(text).toMatch(/\w{2,}/);
    });

    it("streams in more than one piece and ends with [DONE]", async () => {
      const response = await chat({
        model,
        stream: true,
        max_tokens: 24,
        messages: [{ role: "user", content: "Count to ten." }],
      });
      expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
      const decoder = new TextDecoder();
      const reads: string[] = [];
      for await (const bytes of (response.body ?? []) as AsyncIterable<Uint8Array>)
        reads.push(decoder.decode(bytes, { stream: true }));
      // What is held back until the end comes in one.
      expect(reads.filter((read) => read.includes("data: ")).length).toBeGreaterThan(1);
      const events = reads
        .join("")
        .split("\n\n")
        .filter((event) => event.startsWith("data: "));
      expect(events.at(-1)).toBe("data: [DONE]");
      const pieces = events
        .slice(0, -1)
        .map((event) => JSON.parse(event.slice(6)) as { choices: { delta: { content?: string } }[] })
        .filter(({ choices }) => (choices[0]?.delta.content ?? "") !== "");
      expect(pieces.length).toBeGreaterThan(1);
    });

    it("hears every message of a conversation, not only the first", async () => {
      const first = { role: "user", content: "Hello." };
      const more = [
        { role: "assistant", content: "Hi!" },
        { role: "user", content: "What is the capital of France? One word." },
      ];
      const short = await complete([first]);
      const long = await complete([first, ...more]);
      expect(long.usage.prompt_tokens).toBeGreaterThanOrEqual(short.usage.prompt_tokens + 12);
      expect(long.choices[0]?.message.content).toMatch(/paris/i);
    });

    it("serves the openai client, whole and streamed", async () => {
      const client = new OpenAI({
        baseURL: `${stack.gatewayUrl}/v1`,
        apiKey: apiKey ?? "none",
        maxRetries: 0,
      });
      const messages = [{ role: "user" as const, content: "Say hello." }];
      const whole = await client.chat.completions.create({ model, messages, max_completion_tokens: 16 });
      expect(whole.choices[0]?.message.content).toMatch(/\w/);
      expect(whole.usage?.completion_tokens).toBeGreaterThan(0);
      let text = "";
      let reason: string | null = null;
      for await (const chunk of await client.chat.completions.create({
        model,
        messages,
        max_completion_tokens: 16,
        stream: true,
      })) {
        text += chunk.choices[0]?.delta.content ?? "";
        reason = chunk.choices[0]?.finish_reason ?? reason;
      }
      expect(text).toMatch(/\w/);
      expect(["stop", "length"]).toContain(reason);
      const listed = (await client.models.list()).data.map(({ id }) => id);
      expect(listed).toEqual(expect.arrayContaining(stack.installedModels.map((entry) => entry.model)));
    });

    it("answers in OPEA's form", async () => {
      const response = await fetch(`${stack.gatewayUrl}/v1/example-service`, {
        method: "POST",
        headers,
        body: JSON.stringify({ model, messages: "Tell me a joke.", stream: false, max_tokens: 24 }),
      });
      expect(response.status).toBe(200);
      const { choices } = (await response.json()) as Completion;
      expect(choices[0]?.message.content).toMatch(/\w/);
    });

    it("refuses an unknown model with 404 model_not_found", async () => {
      const response = await chat({ model: "no-such-model:1b", messages: [{ role: "user", content: "Hi" }] });
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({
        error: { code: "model_not_found", type: "invalid_request_error" },
      });
    });

    it.each([
      ["malformed JSON", '{"model": "x", "messages": [', undefined],
      ["a wrong field", JSON.stringify({ model: "x", messages: "not a list" }), "messages"],
    ])("refuses %s with 400, naming what is wrong", async (_what, body, param) => {
      const response = await chat(body);
      expect(response.status).toBe(400);
      const { error } = (await response.json()) as {
        error: { message: string; type: string; param: string | null };
      };
      expect(error.type).toBe("invalid_request_error");
      expect(error.message.length).toBeGreaterThan(10);
      if (param !== undefined) expect(error.param).toBe(param);
    });

    it("stays within its memory limits, as docker stats has it", async () => {
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

    it("logs no error", async () => {
      for (const name of Object.values(stack.containers)) {
        const log = await docker(["container", "logs", "--since", startedAt, name], { merge: true });
        const errors = log
          .split("\n")
          .filter((line) => /level=(ERROR|FATAL)|"level":"?(50|60|error|fatal)|panic:/i.test(line));
        expect(errors, name).toEqual([]);
      }
    });

    it("says 503 while Ollama is stopped, and works again once it is back", async () => {
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

/** Docker's way to write an amount of memory: `45.94MiB`. */
function bytesOf(text: string): number {
  const exponent = ["B", "KiB", "MiB", "GiB", "TiB"].indexOf(text.replace(/[\d.]/g, ""));
  return Number.parseFloat(text) * 1024 ** exponent;
}

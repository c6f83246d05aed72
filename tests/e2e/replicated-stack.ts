import { setTimeout as sleep } from "node:timers/promises";
import { Agent, type Dispatcher, fetch } from "undici";
import { expect } from "vitest";
import { docker } from "../../engine/docker-cli.ts";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { edgeAuthority } from "../../scripts/connect/edge-ca.ts";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import type { Project } from "../../test-support/stack/project.ts";
import { containerIds, replacedSince } from "./container-ids.ts";
import { underLoad } from "./under-load.ts";

export const containers = ["edge", "gateway", "gateway-2", "ollama", "ollama-2"] as const;
export type ContainerName = (typeof containers)[number];

// Together, the clients send some six requests a second; without pauses, they take the cores from the update.
const PAUSE_MS_PER_CLIENT = 150;

/** Two gateways and two Ollama servers behind an edge, and clients that trust the edge's authority. */
export class ReplicatedStack {
  readonly project: Project;
  readonly root: string;
  readonly key: string;
  #trusting: Dispatcher | undefined;
  #outputs: StackOutputs | undefined;

  constructor(project: Project) {
    this.project = project;
    this.root = `https://localhost:${String(project.configured("gatewayPort"))}`;
    const { key, line } = newKey("load", ["admin"]);
    this.key = key;
    project.configure({
      edge: "internal",
      gatewayReplicas: 2,
      ollamaReplicas: 2,
      ollamaParallel: 4,
      ollamaContextLength: 512,
      // With more threads, the two servers compete for the cores, and are many times slower than one.
      models: (project.configured("models") as object[]).map((each) => ({
        ...each,
        parameters: { num_thread: 1 },
      })),
      gatewayApiKeys: [line],
    });
  }

  /** Brings the stack up, which has been initialized. */
  async up(): Promise<void> {
    await this.project.pulumi("up", "--yes", "--skip-preview");
    this.#outputs = await this.project.outputs();
    const ca = await edgeAuthority(this.#outputs);
    if (ca === undefined) throw new Error("the edge has no authority");
    this.#trusting = new Agent({ connect: { ca } });
  }

  /** Closes the clients' connections. */
  async close(): Promise<void> {
    await this.#trusting?.close();
  }

  get trusting(): Dispatcher {
    return this.#trusting ?? expect.fail("the stack is not up");
  }

  get outputs(): StackOutputs {
    return this.#outputs ?? expect.fail("the stack is not up");
  }

  get model(): string {
    return this.outputs.installedModels[0]?.model ?? "";
  }

  nameOf(which: ContainerName): string {
    return `ollama-stack-${this.project.stack}-${which}`;
  }

  currentIds(): ReturnType<typeof containerIds> {
    return containerIds(containers.map((each) => this.nameOf(each)));
  }

  chat(body: object, apiKey = this.key): ReturnType<typeof fetch> {
    const messages = [{ role: "user", content: "Count to ten." }];
    return fetch(`${this.root}/v1/chat/completions`, {
      method: "POST",
      dispatcher: this.trusting,
      headers: { "content-type": "application/json", authorization: `Bearer ${apiKey}` },
      body: JSON.stringify({ model: this.model, messages, ...body }),
    });
  }

  /** Runs an update, and clients that stream one response after another from its first change of a container on. */
  async updateUnderLoad(clients: number): Promise<{
    readonly code: number;
    readonly output: string;
    readonly completed: number;
    readonly failures: readonly string[];
  }> {
    const update = this.project.run("pulumi", ["up", "--yes", "--skip-preview"]);
    const ended = update.done.then(() => true);
    // A container is drained when the resource that waits for it is deleted, before it is replaced itself.
    const changesContainer = /-(?:ready|container) /;
    while (!changesContainer.test(update.output()))
      if (await Promise.race([ended, sleep(20, false)]))
        throw new Error(`the update ended before a change of a container was seen:\n${update.output()}`);
    // Every tenth request is long enough to be in flight when its replica is replaced.
    const stream = (n: number) => this.chat({ stream: true, max_tokens: n % 10 === 0 ? 80 : 4, seed: n });
    const pauseMs = clients * PAUSE_MS_PER_CLIENT;
    const { result, ...load } = await underLoad(clients, stream, () => update.done, {
      marginMs: 500,
      pauseMs,
    });
    return { ...result, ...load };
  }

  /** Changes the images of both services, and expects an update to replace them without a failed or cut off response. */
  async rollOutBothImages(clients: number): Promise<void> {
    const before = await this.currentIds();
    this.project.edit("gateway/src/server.ts", (text) => text.replace('"starting"', '"starting again"'));
    const image = String(this.project.configured("ollamaImage"));
    // Its name contains the stack's, so it is removed with the stack.
    const changedImage = `ollama-stack-${this.project.stack}/ollama:${image.split(":")[1] ?? ""}`;
    const input = `FROM ${image}\nLABEL replicas.test=changed\n`;
    await docker(["build", "--tag", changedImage, "-"], { input });
    this.project.configure({ ollamaImage: changedImage });
    const { code, output, completed, failures } = await this.updateUnderLoad(clients);
    expect(code, output).toBe(0);
    expect(failures, output).toEqual([]);
    expect(completed).toBeGreaterThan(clients);
    const replaced = containers.filter((each) => each !== "edge");
    expect(replacedSince(before, await this.currentIds())).toEqual(replaced.map((each) => this.nameOf(each)));
    expect(output).not.toMatch(/will be aborted|could take over/);
  }
}

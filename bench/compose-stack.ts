import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { OllamaApi } from "../components/commands/ollama-api.ts";
import { docker } from "../components/engine.ts";
import type { ModelConfig } from "../components/models/schema.ts";
import type { StackOutputs } from "../scripts/outputs.ts";
import { timed, type Timed, untilReady } from "./timed.ts";

const project = "ollama-stack-compose-bench";
const ports = { ollama: 18088, gateway: 18080 } as const;
type ServiceName = keyof typeof ports;

/** What docker inspect tells of a container of ours, as far as the compose file has to say the same. */
interface Inspected {
  readonly Image: string;
  readonly Config: {
    readonly Env: readonly string[];
    readonly User: string;
    readonly Healthcheck: { readonly Test: readonly string[] };
  };
  readonly HostConfig: {
    readonly Memory: number;
    readonly CpuQuota: number;
    readonly PidsLimit: number;
    readonly ExtraHosts: readonly string[] | null;
  };
}

/** A Compose project with the same two containers as a stack of ours. */
export class ComposeStack {
  readonly #file: string;
  readonly #config: string;

  private constructor(file: string, config: string) {
    this.#file = file;
    this.#config = config;
  }

  /** @param config folder for DOCKER_CONFIG that has Compose in it */
  static async create(
    { containers }: StackOutputs,
    model: ModelConfig,
    config: string,
  ): Promise<ComposeStack> {
    const folder = mkdtempSync(join(tmpdir(), "ollama-stack-bench-compose-"));
    const file = join(folder, "compose.yaml");
    const services: Record<string, object> = {};
    for (const name of Object.keys(ports) as ServiceName[]) {
      const [like] = JSON.parse(await docker(["container", "inspect", containers[name]])) as [Inspected];
      // The image stays while the stack that made it is down.
      await docker(["image", "tag", like.Image, imageOf(name)]);
      services[name] = service(name, like);
    }
    const names = { networks: { default: { name: project } }, volumes: { models: { name: project } } };
    writeFileSync(file, stringify({ name: project, ...names, services }));
    const stack = new ComposeStack(file, config);
    await stack.up();
    await pull(model);
    return stack;
  }

  /** Milliseconds. */
  async up(): Promise<number> {
    return await timed(() => this.#compose("up", "--detach"));
  }

  async untilReady(): Promise<Timed> {
    return await untilReady(`http://127.0.0.1:${ports.gateway}`, () => this.up());
  }

  /** The volume with the model stays. */
  async down(): Promise<void> {
    await this.#compose("down");
  }

  async dispose(): Promise<void> {
    await this.#compose("down", "--volumes");
    await docker(["image", "rm", ...(Object.keys(ports) as ServiceName[]).map(imageOf)]);
    rmSync(join(this.#file, ".."), { recursive: true, force: true });
  }

  async #compose(...args: string[]): Promise<void> {
    const env = { ...process.env, DOCKER_CONFIG: this.#config };
    await promisify(execFile)("docker", ["compose", "--file", this.#file, ...args], { env });
  }
}

function imageOf(name: ServiceName): string {
  return `${project}:${name}`;
}

function service(name: ServiceName, { Config, HostConfig }: Inspected): object {
  const inside = { ollama: 11434, gateway: 8000 }[name];
  return {
    image: imageOf(name),
    container_name: `${project}-${name}`,
    environment: Config.Env,
    ports: [`127.0.0.1:${ports[name]}:${inside}`],
    ...(Config.User === "" ? {} : { user: Config.User }),
    ...(name === "ollama" ? { volumes: ["models:/root/.ollama"] } : { depends_on: ["ollama"] }),
    extra_hosts: HostConfig.ExtraHosts ?? [],
    healthcheck: {
      test: Config.Healthcheck.Test,
      interval: "10s",
      timeout: "5s",
      retries: 3,
      start_period: "30s",
    },
    read_only: true,
    tmpfs: ["/tmp:rw,noexec,nosuid,nodev,size=64m"],
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges"],
    mem_limit: HostConfig.Memory,
    memswap_limit: HostConfig.Memory,
    ...(HostConfig.CpuQuota === 0 ? {} : { cpu_quota: HostConfig.CpuQuota }),
    pids_limit: HostConfig.PidsLimit,
    logging: { driver: "json-file", options: { "max-size": "10m", "max-file": "3" } },
    restart: "unless-stopped",
  };
}

/** Compose has nothing for a model: it is put into the volume by hand, once. */
async function pull({ name, source = name, insecure = false }: ModelConfig): Promise<void> {
  const api = new OllamaApi(`http://127.0.0.1:${ports.ollama}`);
  let last = "";
  for await (const { status } of api.pull(source, insecure, AbortSignal.timeout(600_000)))
    last = status ?? last;
  if (last !== "success") throw new Error(`${source} was not pulled: ${last}`);
  if (source !== name) await api.copy(source, name);
}

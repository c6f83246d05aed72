import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { OllamaApi } from "../../components/commands/model-install/ollama-api.ts";
import { docker } from "../../engine/docker-cli.ts";
import type { ModelConfig } from "../../components/config/models/models.ts";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { timed, type Timed, untilReady } from "./timing.ts";

type ServiceName = "ollama" | "gateway";
const containerPorts = { ollama: 11434, gateway: 8000 } as const satisfies Record<ServiceName, number>;
const services = Object.keys(containerPorts) as ServiceName[];

/** The differences between the compose files. Both run at once, so each needs its own names and ports. */
interface Variant {
  readonly project: string;
  readonly ports: Readonly<Record<ServiceName, number>>;
  /** Whether the file has a service that pulls the model and ends. */
  readonly pulls: boolean;
}
export const composeFiles = {
  withModel: {
    project: "ollama-stack-compose-bench",
    ports: { ollama: 18088, gateway: 18080 },
    pulls: true,
  },
  containersAlone: {
    project: "ollama-stack-compose-bench-alone",
    ports: { ollama: 18078, gateway: 18070 },
    pulls: false,
  },
} as const satisfies Record<string, Variant>;

/** The part of `docker inspect` of our containers that the compose file repeats. */
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

/** A Compose project with the same two containers as our stack, and the same model in a volume. */
export class ComposeStack {
  readonly #variant: Variant;
  readonly #file: string;
  readonly #config: string;

  private constructor(variant: Variant, file: string, config: string) {
    this.#variant = variant;
    this.#file = file;
    this.#config = config;
  }

  /** @param config the folder for DOCKER_CONFIG */
  static async create(
    variant: Variant,
    { containers }: StackOutputs,
    model: ModelConfig,
    config: string,
  ): Promise<ComposeStack> {
    const { project, ports, pulls } = variant;
    const folder = mkdtempSync(join(tmpdir(), "ollama-stack-bench-compose-"));
    const file = join(folder, "compose.yaml");
    const ours = new Map<ServiceName, Inspected>();
    for (const name of services) {
      const [found] = JSON.parse(await docker(["container", "inspect", containers[name]])) as [Inspected];
      // Keeps the image while our stack is down.
      await docker(["image", "tag", found.Image, imageOf(variant, name)]);
      ours.set(name, found);
    }
    const write = (content: Record<string, object>) => {
      const names = { networks: { default: { name: project } }, volumes: { models: { name: project } } };
      writeFileSync(file, stringify({ name: project, ...names, services: content }));
    };
    const own = Object.fromEntries([...ours].map(([name, found]) => [name, service(variant, name, found)]));
    const stack = new ComposeStack(variant, file, config);
    // The model's own name differs from that of its source; it stays in the volume once copied.
    write(own);
    await stack.up();
    await pull(model, ports.ollama);
    if (pulls) write(withPull(own, model, imageOf(variant, "ollama")));
    await stack.up();
    return stack;
  }

  /** Returns the duration, ms. */
  async up(): Promise<number> {
    return await timed(() => this.#compose("up", "--detach"));
  }

  async untilReady(): Promise<Timed> {
    return await untilReady(`http://127.0.0.1:${this.#variant.ports.gateway}`, () => this.up());
  }

  /** Retains the volume with the model. */
  async down(): Promise<void> {
    await this.#compose("down");
  }

  async dispose(): Promise<void> {
    await this.#compose("down", "--volumes");
    await docker(["image", "rm", ...services.map((name) => imageOf(this.#variant, name))]);
    rmSync(join(this.#file, ".."), { recursive: true, force: true });
  }

  async #compose(...args: string[]): Promise<void> {
    const env = { ...process.env, DOCKER_CONFIG: this.#config };
    await promisify(execFile)("docker", ["compose", "--file", this.#file, ...args], { env });
  }
}

function imageOf({ project }: Variant, name: ServiceName): string {
  return `${project}:${name}`;
}

// The restrictions of our containers.
const restrictions = {
  read_only: true,
  tmpfs: ["/tmp:rw,noexec,nosuid,nodev,size=64m"],
  cap_drop: ["ALL"],
  security_opt: ["no-new-privileges"],
  logging: { driver: "json-file", options: { "max-size": "10m", "max-file": "3" } },
};

function service(variant: Variant, name: ServiceName, { Config, HostConfig }: Inspected): object {
  return {
    image: imageOf(variant, name),
    container_name: `${variant.project}-${name}`,
    environment: Config.Env,
    ports: [`127.0.0.1:${variant.ports[name]}:${containerPorts[name]}`],
    ...(Config.User === "" ? {} : { user: Config.User }),
    ...(name === "ollama" ? { volumes: ["models:/root/.ollama"] } : { depends_on: ["ollama"] }),
    extra_hosts: HostConfig.ExtraHosts ?? [],
    healthcheck: {
      test: Config.Healthcheck.Test,
      // The pull waits for Ollama's health, and Docker 20.10 has no separate interval for the start.
      interval: variant.pulls && name === "ollama" ? "1s" : "10s",
      timeout: "5s",
      retries: 3,
      start_period: "30s",
    },
    ...restrictions,
    mem_limit: HostConfig.Memory,
    memswap_limit: HostConfig.Memory,
    ...(HostConfig.CpuQuota === 0 ? {} : { cpu_quota: HostConfig.CpuQuota }),
    pids_limit: HostConfig.PidsLimit,
    restart: "unless-stopped",
  };
}

/** Adds a service that pulls the model and ends, after Ollama and before the gateway, as common compose files do. */
function withPull(
  { ollama = {}, gateway = {} }: Record<string, object>,
  { name, source = name, insecure = false }: ModelConfig,
  image: string,
): Record<string, object> {
  const model = {
    image,
    entrypoint: ["ollama", "pull", ...(insecure ? ["--insecure"] : []), source],
    environment: [`OLLAMA_HOST=ollama:${containerPorts.ollama}`],
    depends_on: { ollama: { condition: "service_healthy" } },
    ...restrictions,
  };
  const dependsOnModel = { model: { condition: "service_completed_successfully" } };
  return { ollama, model, gateway: { ...gateway, depends_on: dependsOnModel } };
}

/** Pulls the model into the volume as our stack does. */
async function pull({ name, source = name, insecure = false }: ModelConfig, port: number): Promise<void> {
  const api = new OllamaApi(`http://127.0.0.1:${port}`);
  let lastStatus = "";
  for await (const { status } of api.pull(source, insecure, AbortSignal.timeout(600_000)))
    lastStatus = status ?? lastStatus;
  if (lastStatus !== "success") throw new Error(`pulling ${source} failed: ${lastStatus}`);
  if (source !== name) await api.copy(source, name);
}

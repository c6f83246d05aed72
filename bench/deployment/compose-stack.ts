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
import { timed, type Timed, untilReady } from "./timed.ts";

type ServiceName = "ollama" | "gateway";
const inside = { ollama: 11434, gateway: 8000 } as const satisfies Record<ServiceName, number>;
const services = Object.keys(inside) as ServiceName[];

/** What differs between the compose files: side by side, they need names and ports of their own. */
interface Variant {
  readonly project: string;
  readonly ports: Readonly<Record<ServiceName, number>>;
  /** Whether the file sees to it that the model is there, by a service that pulls it and ends. */
  readonly pulls: boolean;
}
export const composeFiles = {
  whole: {
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

/** What docker inspect says of a container of ours, as far as the compose file has to say the same. */
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

/** A Compose project with the same two containers as a stack of ours, and the same model in a volume. */
export class ComposeStack {
  readonly #variant: Variant;
  readonly #file: string;
  readonly #config: string;

  private constructor(variant: Variant, file: string, config: string) {
    this.#variant = variant;
    this.#file = file;
    this.#config = config;
  }

  /** @param config folder for DOCKER_CONFIG that has Compose in it */
  static async create(
    variant: Variant,
    { containers }: StackOutputs,
    model: ModelConfig,
    config: string,
  ): Promise<ComposeStack> {
    const { project, ports, pulls } = variant;
    const folder = mkdtempSync(join(tmpdir(), "ollama-stack-bench-compose-"));
    const file = join(folder, "compose.yaml");
    const like = new Map<ServiceName, Inspected>();
    for (const name of services) {
      const [found] = JSON.parse(await docker(["container", "inspect", containers[name]])) as [Inspected];
      // The image stays while the stack that made it is down.
      await docker(["image", "tag", found.Image, imageOf(variant, name)]);
      like.set(name, found);
    }
    const write = (content: Record<string, object>) => {
      const names = { networks: { default: { name: project } }, volumes: { models: { name: project } } };
      writeFileSync(file, stringify({ name: project, ...names, services: content }));
    };
    const own = Object.fromEntries([...like].map(([name, found]) => [name, service(variant, name, found)]));
    const stack = new ComposeStack(variant, file, config);
    // The model has a name of its own beside its source's: given once, it stays in the volume.
    write(own);
    await stack.up();
    await pull(model, ports.ollama);
    if (pulls) write(withPull(own, model, imageOf(variant, "ollama")));
    await stack.up();
    return stack;
  }

  /** Milliseconds. */
  async up(): Promise<number> {
    return await timed(() => this.#compose("up", "--detach"));
  }

  async untilReady(): Promise<Timed> {
    return await untilReady(`http://127.0.0.1:${this.#variant.ports.gateway}`, () => this.up());
  }

  /** The volume with the model stays. */
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

// What a container of ours may do and keep.
const confined = {
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
    ports: [`127.0.0.1:${variant.ports[name]}:${inside[name]}`],
    ...(Config.User === "" ? {} : { user: Config.User }),
    ...(name === "ollama" ? { volumes: ["models:/root/.ollama"] } : { depends_on: ["ollama"] }),
    extra_hosts: HostConfig.ExtraHosts ?? [],
    healthcheck: {
      test: Config.Healthcheck.Test,
      // What is waited for, is looked at as often as can be: Docker 20.10 knows no other interval for the start.
      interval: variant.pulls && name === "ollama" ? "1s" : "10s",
      timeout: "5s",
      retries: 3,
      start_period: "30s",
    },
    ...confined,
    mem_limit: HostConfig.Memory,
    memswap_limit: HostConfig.Memory,
    ...(HostConfig.CpuQuota === 0 ? {} : { cpu_quota: HostConfig.CpuQuota }),
    pids_limit: HostConfig.PidsLimit,
    restart: "unless-stopped",
  };
}

/** As compose files do it: the gateway comes after a service that pulls the model and ends, as that after Ollama. */
function withPull(
  { ollama = {}, gateway = {} }: Record<string, object>,
  { name, source = name, insecure = false }: ModelConfig,
  image: string,
): Record<string, object> {
  const model = {
    image,
    entrypoint: ["ollama", "pull", ...(insecure ? ["--insecure"] : []), source],
    environment: [`OLLAMA_HOST=ollama:${inside.ollama}`],
    depends_on: { ollama: { condition: "service_healthy" } },
    ...confined,
  };
  const after = { model: { condition: "service_completed_successfully" } };
  return { ollama, model, gateway: { ...gateway, depends_on: after } };
}

/** Pulls the model as a stack of ours does, which leaves it in the volume. */
async function pull({ name, source = name, insecure = false }: ModelConfig, port: number): Promise<void> {
  const api = new OllamaApi(`http://127.0.0.1:${port}`);
  let last = "";
  for await (const { status } of api.pull(source, insecure, AbortSignal.timeout(600_000)))
    last = status ?? last;
  if (last !== "success") throw new Error(`${source} was not pulled: ${last}`);
  if (source !== name) await api.copy(source, name);
}

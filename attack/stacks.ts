import { docker } from "../engine/docker-cli.ts";
import { edgeAuthority } from "../scripts/connect/edge-ca.ts";
import { Project } from "../test-support/stack/project.ts";
import { Keys } from "./keys.ts";
import { Target } from "./target.ts";

export interface Stacks {
  readonly edge: Target;
  readonly direct: Target;
}

const ports = {
  edge: { ollamaPort: 0, gatewayPort: 18980 },
  direct: { ollamaPort: 18992, gatewayPort: 18990 },
} as const;

// The limits of Pulumi.prod.yaml and the defaults, so that the results hold for a production stack.
const productionLimits = {
  gatewayMemoryMiB: 512,
  edgeMemoryMiB: 256,
  ollamaMemoryMiB: 4096,
  ollamaParallel: 2,
  ollamaContextLength: 2048,
  // A model unloaded while idle would look like an evicted one.
  ollamaKeepAlive: "24h",
  // Covers slow clients in little time.
  gatewayEnvironment: { REQUEST_TIMEOUT_MS: 10_000 },
};

/** Two stacks in copies of the project, each with its own state; `down` destroys them. */
export class AttackedStacks {
  readonly #projects: Project[] = [];
  readonly #targets: Target[] = [];

  async up(): Promise<Stacks> {
    const direct = await this.#bringUp("direct", {});
    const replicas = { edge: "internal", gatewayReplicas: 2, ollamaReplicas: 2 };
    return { direct, edge: await this.#bringUp("edge", replicas) };
  }

  /** Destroys the stacks, even incomplete ones. Returns the failures. */
  async down(): Promise<string[]> {
    const failures: string[] = [];
    for (const target of this.#targets) await target.close();
    for (const project of this.#projects)
      await project.dispose().catch((error: unknown) => failures.push(String(error)));
    return failures;
  }

  async #bringUp(name: "edge" | "direct", more: object): Promise<Target> {
    const keys = new Keys();
    const { gatewayPort, ollamaPort } = ports[name];
    const project = new Project({ stack: `attack-${name}`, gatewayPort, ollamaPort });
    this.#projects.push(project);
    // Two servers whose threads compete for the same cores are many times slower than one server.
    const models = (project.configured("models") as object[]).map((model) => ({
      ...model,
      parameters: { num_thread: 1 },
      keepLoaded: true,
    }));
    project.configure({ ...productionLimits, ...more, models, gatewayApiKeys: keys.lines });
    await project.pulumi("stack", "init", project.stack);
    await project.pulumi("up", "--yes", "--skip-preview");
    const outputs = await project.outputs();
    const { edge, replicas } = outputs;
    const target = new Target({
      name,
      host: "localhost",
      port: gatewayPort,
      ca: await edgeAuthority(outputs),
      model: outputs.installedModels[0]?.model ?? "",
      keys,
      project,
      containers: {
        ...(edge === undefined ? {} : { edge: edge.container }),
        gateways: replicas.gateway,
        ollamas: replicas.ollama,
      },
      network: outputs.networkName,
      gatewayImage: outputs.images.gateway,
    });
    this.#targets.push(target);
    return target;
  }
}

/** Both log streams of a container since a point in time. */
export function logsSince(container: string, since: Date): Promise<string> {
  return docker(["container", "logs", "--since", since.toISOString(), container], { merge: true });
}

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

// As a server has them (Pulumi.prod.yaml, and the defaults): what is attacked is not to be larger than what is promised.
const likeProduction = {
  gatewayMemoryMiB: 512,
  edgeMemoryMiB: 256,
  ollamaMemoryMiB: 4096,
  ollamaParallel: 2,
  ollamaContextLength: 2048,
  // A runner that was unloaded for idleness would look like one that was evicted.
  ollamaKeepAlive: "24h",
  // Who sends nothing is waited for so long.
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

  /** Takes down what is there, even half made. Returns what could not be. */
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
    // Two servers whose every thread waits for a core that the other one's has are many times slower than one.
    const models = (project.configured("models") as object[]).map((model) => ({
      ...model,
      parameters: { num_thread: 1 },
      keepLoaded: true,
    }));
    project.configure({ ...likeProduction, ...more, models, gatewayApiKeys: keys.lines });
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

/** What a container has logged since a moment, both its streams. */
export function logsSince(container: string, since: Date): Promise<string> {
  return docker(["container", "logs", "--since", since.toISOString(), container], { merge: true });
}

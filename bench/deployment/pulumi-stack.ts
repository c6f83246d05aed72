import type { ModelConfig } from "../../components/config/models/models.ts";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { Project } from "../../test-support/stack/project.ts";
import { timed, type Timed, untilReady } from "./timing.ts";

const ports = { ollamaPort: 18098, gatewayPort: 18090 };

/** A stack in a copy of this project. Its images and models survive `down`. */
export class PulumiStack {
  readonly #project: Project;

  private constructor(project: Project) {
    this.#project = project;
  }

  static async create(tools: Readonly<Record<string, string>>): Promise<PulumiStack> {
    Object.assign(process.env, tools);
    const project = new Project({ stack: "bench", ...ports });
    project.configure({ retainModels: true });
    await project.pulumi("stack", "init", project.stack);
    return new PulumiStack(project);
  }

  outputs(): Promise<StackOutputs> {
    return this.#project.outputs();
  }

  /** The configured model. */
  get model(): ModelConfig {
    const [model] = this.#project.configured("models") as ModelConfig[];
    if (model === undefined) throw new Error("the stack has no model");
    return model;
  }

  /** Updates the stack without a preview, because Compose has none. Returns the duration, ms. */
  async up(): Promise<number> {
    return await timed(() => this.#project.pulumi("up", "--yes", "--skip-preview"));
  }

  async npmUp(): Promise<number> {
    return await timed(async () => {
      const { stack } = this.#project;
      const { code, output } = await this.#project.run("npm", ["run", "up", "--", "--stack", stack]).done;
      if (code !== 0) throw new Error(`npm run up failed:\n${output}`);
    });
  }

  async untilReady(): Promise<Timed> {
    return await untilReady(`http://127.0.0.1:${ports.gatewayPort}`, () => this.up());
  }

  /** Previews the given number of models, none of them installed, and of replicas in total. Returns the duration, ms. */
  async previewOf(count: number, replicas: number): Promise<number> {
    const { model } = this;
    const models = Array.from({ length: count }, (_, index) => ({ ...model, name: `bench-${index}:latest` }));
    const each = Math.ceil(replicas / 2);
    this.#project.configure({ models, edge: "http", gatewayReplicas: each, ollamaReplicas: each });
    try {
      return await timed(() => this.#project.pulumi("preview"));
    } finally {
      const none = { edge: undefined, gatewayReplicas: undefined, ollamaReplicas: undefined };
      this.#project.configure({ models: [model], ...none });
    }
  }

  /** Destroys the stack, but retains the volume with the model. */
  async down(): Promise<void> {
    await this.#project.pulumi("destroy", "--yes", "--skip-preview");
  }

  async version(): Promise<string> {
    return (await this.#project.pulumi("version")).trim().replace(/^v/, "");
  }

  async dispose(): Promise<void> {
    this.#project.configure({ retainModels: false });
    await this.up();
    await this.#project.dispose();
  }
}

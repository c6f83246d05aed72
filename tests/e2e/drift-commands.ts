import { expect } from "vitest";
import type { Project, Result } from "../../test-support/stack/project.ts";

/** The commands that find and repair what was changed by hand. */
export class DriftCommands {
  readonly #project: Project;
  readonly #environment: NodeJS.ProcessEnv;

  constructor(project: Project, environment: NodeJS.ProcessEnv = {}) {
    this.#project = project;
    this.#environment = environment;
  }

  drift(): Promise<Result> {
    return this.#run("drift");
  }

  up(): Promise<Result> {
    return this.#run("up");
  }

  /** Runs npm run drift, expects it to find drift, and returns its output with whitespace collapsed. */
  async expectDrift(): Promise<string> {
    const { code, output } = await this.drift();
    expect(code, output).toBe(2);
    return output.replace(/\s+/g, " ");
  }

  /** Runs npm run up, and expects no drift after it. */
  async repair(): Promise<Result> {
    const result = await this.up();
    expect(result.code, result.output).toBe(0);
    const { code, output } = await this.drift();
    expect(code, output).toBe(0);
    return result;
  }

  #run(name: string): Promise<Result> {
    const args = [`scripts/commands/${name}.ts`, "--stack", this.#project.stack];
    return this.#project.run(process.execPath, args, this.#environment).done;
  }
}

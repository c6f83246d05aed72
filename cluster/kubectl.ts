import { type ChildProcess, spawn } from "node:child_process";
import type { z } from "zod";
import { type ProcessOptions, runProcess } from "../host/run-process.ts";
import type { ClusterAddress } from "./address.ts";
import { explain } from "./explain.ts";

/** A request to the cluster failed; the message is for users. */
export class ClusterError extends Error {
  override readonly name = "ClusterError";
  /** What kubectl printed. */
  readonly output: string;

  constructor(message: string, output = "", options?: ErrorOptions) {
    super(message, options);
    this.output = output;
  }

  /** Whether the cluster reported a missing object; kubectl also prints "not found" for contexts and programs. */
  get isNotFound(): boolean {
    return this.output.includes("(NotFound)");
  }

  get isForbidden(): boolean {
    return this.output.includes("(Forbidden)");
  }

  /** Whether repeating the request cannot help. A missing kubectl is the only error with a cause. */
  get isPermanent(): boolean {
    return this.isNotFound || this.isForbidden || this.cause !== undefined;
  }
}

const withinMs = 30_000;

/** A client that uses kubectl, which supports every way to authenticate. */
export class Kubectl {
  readonly address: ClusterAddress;
  readonly #options: readonly string[];

  constructor(address: ClusterAddress) {
    const { kubeconfig, context, namespace } = address;
    this.address = address;
    this.#options = [
      ...(kubeconfig === "" ? [] : [`--kubeconfig=${kubeconfig}`]),
      ...(context === "" ? [] : [`--context=${context}`]),
      ...(namespace === "" ? [] : [`--namespace=${namespace}`]),
    ];
  }

  /** Runs kubectl and returns its output. @throws ClusterError */
  async run(args: readonly string[], options: ProcessOptions = {}): Promise<string> {
    let end;
    try {
      end = await runProcess("kubectl", this.arguments(args), { timeoutMs: withinMs, ...options });
    } catch (error) {
      throw notStarted(error as Error);
    }
    if (end.code === 0) return end.stdout;
    const output = end.timedOut ? "it does not respond in time" : end.stderr.trim();
    throw new ClusterError(explain(output, args, this.address), output);
  }

  /** Gets objects and parses them with a schema. */
  async get<Schema extends z.ZodType>(schema: Schema, ...what: readonly string[]): Promise<z.output<Schema>> {
    return schema.parse(JSON.parse(await this.run(["get", ...what, "--output=json"])));
  }

  /** The same, or undefined if the object does not exist. */
  async find<Schema extends z.ZodType>(
    schema: Schema,
    ...what: readonly string[]
  ): Promise<z.output<Schema> | undefined> {
    try {
      return await this.get(schema, ...what);
    } catch (error) {
      if (error instanceof ClusterError && error.isNotFound) return undefined;
      throw error;
    }
  }

  /** Reads a file in a pod whose image has Node.js; undefined while the container starts or stops. */
  async readFile(pod: string, container: string, path: string): Promise<string | undefined> {
    const script = `process.stdout.write(require("node:fs").readFileSync(${JSON.stringify(path)}))`;
    try {
      return await this.run(["exec", pod, `--container=${container}`, "--", "node", "--eval", script]);
    } catch (error) {
      if (error instanceof ClusterError) return undefined;
      throw error;
    }
  }

  /** Makes the kubelets deliver changed Secrets and ConfigMaps immediately, instead of within two minutes. */
  async syncVolumes(selector: string): Promise<void> {
    const annotation = `ollama-stack/sync-requested=${String(Date.now())}`;
    try {
      await this.run(["annotate", "pods", `--selector=${selector}`, "--overwrite", annotation]);
    } catch (error) {
      // A pod was deleted after kubectl listed it.
      if (!(error instanceof ClusterError && error.isNotFound)) throw error;
    }
  }

  /** Starts a long-running kubectl command. */
  spawn(args: readonly string[]): ChildProcess {
    return spawn("kubectl", this.arguments(args), { stdio: ["ignore", "pipe", "pipe"], windowsHide: true });
  }

  /** All arguments of kubectl. */
  arguments(args: readonly string[]): string[] {
    return [...this.#options, ...args];
  }
}

/** Why kubectl could not be started. */
export function notStarted(error: Error): Error {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") return error;
  return new ClusterError(
    "kubectl is not on the path. Install it: https://kubernetes.io/docs/tasks/tools/",
    "",
    { cause: error },
  );
}

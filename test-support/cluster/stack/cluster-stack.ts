import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { Kubectl } from "../../../cluster/kubectl.ts";
import { Project } from "../../stack/project.ts";
import type { Cluster } from "../cluster.ts";
import { reachPods } from "../machines/network.ts";
import { clusterWithImages, gatewayImage } from "../shared-cluster.ts";
import { StreamingClients } from "./streaming-clients.ts";

export const model = "smollm2:135m";
// The address of this machine's model registry for pods.
const registryAddress = "172.17.0.1";

export interface Key {
  readonly key: string;
  /** The line for the config. */
  readonly line: string;
}

export function makeKey(name: string, flags = ""): Key {
  const key = `sk-${randomBytes(24).toString("hex")}`;
  return { key, line: `${name} sha256=${createHash("sha256").update(key).digest("hex")}${flags}` };
}

export interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName: string };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

function isReady({ conditions = [] }: Pod["status"]): boolean {
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

/** A stack in the test cluster, which is not deployed yet. */
export class ClusterStack {
  readonly cluster: Cluster;
  readonly project: Project;
  readonly namespace: string;
  /** An admin key, because metrics show the usage of all keys. */
  readonly ada = makeKey("ada", " admin");
  readonly #gatewayPort: number;

  private constructor(cluster: Cluster, stack: string, gatewayPort: number) {
    this.cluster = cluster;
    this.#gatewayPort = gatewayPort;
    this.namespace = `ollama-stack-${stack}`;
    this.project = new Project({ stack, ollamaPort: 0, gatewayPort });
    this.project.configure({
      engine: "kubernetes",
      kubeconfig: cluster.kubeconfig,
      gatewayImage,
      gatewayApiKeys: [this.ada.line],
      networkName: undefined,
      edgeImage: undefined,
      prometheusImage: undefined,
      ollamaMemoryMiB: 1024,
      ollamaHosts: ["registry", "blobs"].map((name) => `${name}:${registryAddress}`),
      // The cluster shares the machine's cores, so a stream takes seconds while others continue.
      ollamaCpus: "0.5",
      // A busy machine works slowly through a full queue.
      gatewayEnvironment: { QUEUE_TIMEOUT_MS: "600000" },
      drainTimeoutSeconds: 300,
    });
  }

  /** @param stack its name, unique among the tests */
  static async start(stack: string, gatewayPort = 8000): Promise<ClusterStack> {
    const started = new ClusterStack(await clusterWithImages(), stack, gatewayPort);
    await started.project.pulumi("stack", "init", stack);
    return started;
  }

  /** Each stack in a cluster has its own roles and accounts. */
  get #deployerName(): string {
    return `deployer-of-${this.namespace}`;
  }

  /** The account that deploys the stack, in kubectl's notation for role bindings. */
  get deployer(): string {
    return `--serviceaccount=default:${this.#deployerName}`;
  }

  /**
   * Makes an account deploy the stack that only has the rights in docs/kubernetes.md.
   *
   * @param further the name of an additional role in that document
   */
  useRightsOfDocument(further?: string): void {
    const text = readFileSync("docs/kubernetes.md", "utf8");
    const blocks = [...text.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, block = ""]) => block);
    const named = (name: string) => {
      const found = blocks.find((block) => block.includes(`  name: ${name}\n`));
      if (found === undefined) throw new Error(`docs/kubernetes.md has no role ${name}`);
      return found;
    };
    const { cluster, namespace, deployer: account } = this;
    const name = this.#deployerName;
    cluster.kubectl(["create", "namespace", namespace]);
    cluster.kubectl(["create", "serviceaccount", name, "--namespace=default"]);
    const inside = [account, `--namespace=${namespace}`];
    for (const role of ["ollama-stack", ...(further === undefined ? [] : [further])]) {
      const own = named(role).replaceAll(/^ {2}name: ollama-stack$/gm, `  name: ${name}`);
      cluster.kubectl(["apply", "--filename=-"], own.replaceAll("ollama-stack-cluster", namespace));
      const ownRole = role === "ollama-stack" ? name : role;
      cluster.kubectl(["create", "rolebinding", `${name}-${role}`, `--role=${ownRole}`, ...inside]);
    }
    cluster.kubectl(["create", "clusterrolebinding", name, `--clusterrole=${name}`, account]);
    const token = cluster.kubectl(["create", "token", name, "--namespace=default"]).trim();
    const config = JSON.parse(readFileSync(cluster.kubeconfig, "utf8")) as object;
    const kubeconfig = join(cluster.folder, "kubeconfig", name);
    const users = [{ name: "admin", user: { token } }];
    writeFileSync(kubeconfig, JSON.stringify({ ...config, users }), { mode: 0o600 });
    this.project.configure({ kubeconfig });
  }

  /** Removes what is left, without waiting for pods to terminate. */
  async dispose(): Promise<void> {
    const { cluster, namespace, project } = this;
    const kubectl = new Kubectl({ kubeconfig: cluster.kubeconfig, context: "", namespace });
    await kubectl.run(["delete", "namespace", namespace, "--wait=false", "--ignore-not-found"]);
    await kubectl.run(["delete", "pods", "--all", "--force", "--grace-period=0", "--wait=false"]);
    project.forget();
  }

  /** Runs kubectl in the stack's namespace, and returns what it prints. */
  kubectl(...args: string[]): string {
    return this.cluster.kubectl([...args, `--namespace=${this.namespace}`]);
  }

  update(): Promise<string> {
    return this.project.pulumi("up", "--yes", "--skip-preview");
  }

  /** Pods sorted by name, without those that are terminating. */
  pods(app: string): readonly Pod[] {
    const list = this.cluster.get("pods", `--namespace=${this.namespace}`, `--selector=app=${app}`) as {
      readonly items: readonly Pod[];
    };
    return list.items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  }

  uids(app: string): readonly string[] {
    return this.pods(app).map(({ metadata }) => metadata.uid);
  }

  /**
   * Waits until none of these pods exists.
   *
   * @param options the timeout, by default that of all polls
   */
  async untilReplaced(
    app: string,
    uids: readonly string[],
    options: { readonly timeout?: number } = {},
  ): Promise<void> {
    await expect.poll(() => this.uids(app).filter((uid) => uids.includes(uid)), options).toEqual([]);
  }

  /** URL of the gateway's Service, which this host reaches through a node. */
  get gatewayUrl(): string {
    return (this.#url ??= this.#findUrl());
  }
  #url: string | undefined;

  #findUrl(): string {
    const { spec } = this.cluster.get("service", `--namespace=${this.namespace}`, "gateway") as {
      readonly spec: { readonly clusterIP: string };
    };
    return `http://${spec.clusterIP}:${String(this.#gatewayPort)}`;
  }

  /** URLs of the ready gateways, at their pods' addresses. */
  get gatewayUrls(): readonly string[] {
    reachPods();
    return this.pods("gateway")
      .filter(({ status }) => isReady(status))
      .map(({ status }) => `http://${status.podIP ?? ""}:8000`);
  }

  async untilGateways(count: number): Promise<void> {
    await expect.poll(() => this.gatewayUrls.length).toBe(count);
  }

  get(path: string, { key } = this.ada, url = this.gatewayUrl): Promise<Response> {
    return fetch(`${url}${path}`, { headers: { authorization: `Bearer ${key}` } });
  }

  /** Sends a short chat, regardless of the result. */
  sendChat({ key } = this.ada, url = this.gatewayUrl): Promise<Response> {
    return fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ model, max_tokens: 8, messages: [{ role: "user", content: "Say hello." }] }),
    });
  }

  async chat(key = this.ada): Promise<string> {
    const response = await this.sendChat(key);
    const body = (await response.json()) as { choices?: { message: { content: string } }[] };
    expect(response.status, JSON.stringify(body)).toBe(200);
    return body.choices?.[0]?.message.content ?? "";
  }

  /** The addresses of the servers that are up for the gateway. */
  async servers(): Promise<readonly string[]> {
    const text = await (await this.get("/metrics")).text();
    return [...text.matchAll(/^gateway_backend_up\{backend="(.*?):\d+"\} 1$/gm)].map(([, host = ""]) => host);
  }

  /** Number of requests that each server of the gateway runs, by its address. */
  async inFlight(): Promise<ReadonlyMap<string, number>> {
    const text = await (await this.get("/metrics")).text();
    const all = text.matchAll(/^gateway_backend_requests_in_flight\{backend="(.*?):\d+"\} (\d+)$/gm);
    return new Map([...all].map(([, host = "", count]) => [host, Number(count)]));
  }

  /** Starts clients that stream until they are stopped. */
  clients(count: number, tokens: number, url = this.gatewayUrl): StreamingClients {
    return new StreamingClients({ url, key: this.ada.key, model, count, tokens });
  }

  /** Starts streaming clients, and waits until some have completed a response. */
  async stream(count: number, tokens: number): Promise<StreamingClients> {
    const clients = this.clients(count, tokens);
    await expect.poll(() => clients.completed).toBeGreaterThan(2);
    return clients;
  }
}

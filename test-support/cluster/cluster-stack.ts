import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { expect } from "vitest";
import { Project } from "../project.ts";
import { partBinary } from "../../toolchain/binaries.ts";
import { clusterParts } from "../../toolchain/cluster-binaries.ts";
import { Cluster } from "./cluster.ts";
import { reachPods } from "./network.ts";
import { StreamingClients } from "./streaming-clients.ts";

export const model = "smollm2:135m";
const ollamaImage = "ollama-stack/ollama:0.17.4";
// Where the model registry of this machine is, seen from pods.
const registryAddress = "172.17.0.1";

export interface Key {
  readonly key: string;
  /** The line of the config. */
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

/** A cluster, and a stack that is about to be deployed in it. */
export class ClusterStack {
  readonly cluster: Cluster;
  readonly project: Project;
  readonly namespace: string;
  /** Metrics show the usage of all keys: it is an admin's. */
  readonly ada = makeKey("ada", " admin");
  readonly #image: string;

  private constructor(cluster: Cluster, stack: string, image: string) {
    this.cluster = cluster;
    this.namespace = `ollama-stack-${stack}`;
    this.#image = image;
    this.project = new Project({ stack, ollamaPort: 0, gatewayPort: 8000 });
    this.project.configure({
      engine: "kubernetes",
      kubeconfig: cluster.kubeconfig,
      gatewayImage: image,
      gatewayApiKeys: [this.ada.line],
      networkName: undefined,
      edgeImage: undefined,
      prometheusImage: undefined,
      ollamaMemoryMiB: 1024,
      ollamaHosts: ["registry", "blobs"].map((name) => `${name}:${registryAddress}`),
      // All of the machine's cores belong to the cluster, too: a stream takes seconds and the others go on.
      ollamaCpus: "0.5",
      // A machine that is busy with something else serves a full queue slowly.
      gatewayEnvironment: { QUEUE_TIMEOUT_MS: "600000" },
      drainTimeoutSeconds: 300,
    });
  }

  /** @param stack its name, unique among the tests */
  static async start(stack: string): Promise<ClusterStack> {
    process.env["PATH"] = [dirname(partBinary(clusterParts.kubectl)), process.env["PATH"]].join(delimiter);
    const image = `ollama-stack/gateway-of-tests:${stack}`;
    execFileSync(process.execPath, ["scripts/commands/image.ts", "--tag", image], { stdio: "inherit" });
    const cluster = await Cluster.start();
    const started = new ClusterStack(cluster, stack, image);
    cluster.loadImages(image, ollamaImage);
    await started.project.pulumi("stack", "init", stack);
    return started;
  }

  /** Has the stack deployed by an account that has the rights of docs/kubernetes.md and no others. */
  useRightsOfDocument(): void {
    const text = readFileSync("docs/kubernetes.md", "utf8");
    const [, roles] = /```yaml\n((?:(?!```)[^])*kind: ClusterRole\n(?:(?!```)[^])*)```/.exec(text) ?? [];
    if (roles === undefined) throw new Error("docs/kubernetes.md has no roles");
    const { cluster, namespace } = this;
    const account = "--serviceaccount=default:deployer";
    cluster.kubectl(["create", "namespace", namespace]);
    cluster.kubectl(["create", "serviceaccount", "deployer", "--namespace=default"]);
    cluster.kubectl(["apply", "--filename=-"], roles.replaceAll("ollama-stack-cluster", namespace));
    cluster.kubectl(["create", "clusterrolebinding", "deployer", "--clusterrole=ollama-stack", account]);
    const inside = ["--role=ollama-stack", account, `--namespace=${namespace}`];
    cluster.kubectl(["create", "rolebinding", "deployer", ...inside]);
    const token = cluster.kubectl(["create", "token", "deployer", "--namespace=default"]).trim();
    const config = JSON.parse(readFileSync(cluster.kubeconfig, "utf8")) as object;
    const kubeconfig = join(cluster.folder, "kubeconfig", "deployer");
    const users = [{ name: "admin", user: { token } }];
    writeFileSync(kubeconfig, JSON.stringify({ ...config, users }), { mode: 0o600 });
    this.project.configure({ kubeconfig });
  }

  /** Removes all that there is, a stack that is still deployed included. */
  async dispose(): Promise<void> {
    // Its objects go with the cluster.
    await this.cluster.stop();
    this.project.forget();
    execFileSync("docker", ["image", "rm", this.#image], { stdio: "ignore" });
  }

  update(): Promise<string> {
    return this.project.pulumi("up", "--yes", "--skip-preview");
  }

  /** In the order of their names; without those that are going. */
  pods(app: string): readonly Pod[] {
    const list = this.cluster.get("pods", `--namespace=${this.namespace}`, `--selector=app=${app}`) as {
      readonly items: readonly Pod[];
    };
    return list.items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  }

  uids(app: string): readonly string[] {
    return this.pods(app).map(({ metadata }) => metadata.uid);
  }

  /** The gateway's service, which this host reaches through a node. */
  get gatewayUrl(): string {
    return (this.#url ??= this.#findUrl());
  }
  #url: string | undefined;

  #findUrl(): string {
    const { spec } = this.cluster.get("service", `--namespace=${this.namespace}`, "gateway") as {
      readonly spec: { readonly clusterIP: string };
    };
    return `http://${spec.clusterIP}:8000`;
  }

  /** The gateways that are ready, each at its pod's own address. */
  get gatewayUrls(): readonly string[] {
    reachPods();
    return this.pods("gateway")
      .filter(({ status }) => isReady(status))
      .map(({ status }) => `http://${status.podIP ?? ""}:8000`);
  }

  get(path: string, { key } = this.ada, url = this.gatewayUrl): Promise<Response> {
    return fetch(`${url}${path}`, { headers: { authorization: `Bearer ${key}` } });
  }

  /** Sends a short chat, whatever comes of it. */
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

  /** The addresses of the servers that the gateway uses. */
  async servers(): Promise<readonly string[]> {
    const text = await (await this.get("/metrics")).text();
    return [...text.matchAll(/^gateway_backend_up\{backend="(.*?):\d+"\} 1$/gm)].map(([, host = ""]) => host);
  }

  /** How many requests each server of the gateway runs, by its address. */
  async inFlight(): Promise<ReadonlyMap<string, number>> {
    const text = await (await this.get("/metrics")).text();
    const all = text.matchAll(/^gateway_backend_requests_in_flight\{backend="(.*?):\d+"\} (\d+)$/gm);
    return new Map([...all].map(([, host = "", count]) => [host, Number(count)]));
  }

  /** Clients that stream until they are stopped. */
  clients(count: number, tokens: number, url = this.gatewayUrl): StreamingClients {
    return new StreamingClients({ url, key: this.ada.key, model, count, tokens });
  }

  /** The same; resolves once some have completed a response. */
  async stream(count: number, tokens: number): Promise<StreamingClients> {
    const clients = this.clients(count, tokens);
    await expect.poll(() => clients.completed).toBeGreaterThan(2);
    return clients;
  }
}

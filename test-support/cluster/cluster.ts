import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { installPackages } from "../../toolchain/apt.ts";
import { partBinary } from "../../toolchain/binaries.ts";
import { clusterParts } from "../../toolchain/cluster-binaries.ts";
import { makeCertificates } from "./certificates.ts";
import { dnsImage, dnsObjects } from "./machines/dns.ts";
import { programImage } from "./images.ts";
import {
  addresses,
  machines,
  makeNetwork,
  namespaceOf,
  reachServicesThrough,
  removeNetwork,
  serviceNetwork,
} from "./machines/network.ts";
import { Node, pauseImage, removeNodeGroups, whyNoNodes } from "./machines/node.ts";
import { MachineProcess } from "./machines/process.ts";

const goneWithinMs = 30_000;
const readyWithinMs = 120_000;

/** Why a cluster cannot run on this machine; undefined if it can. */
export function whyNoCluster(): string | undefined {
  if (process.platform !== "linux") return "a cluster of the tests' own needs Linux";
  if (process.getuid?.() !== 0) return "a cluster of the tests' own needs root";
  const programs = ["unshare", "nsenter", "setpriv", "ip", "iptables", "openssl", "tar", "docker"];
  const missing = programs.filter((name) => spawnSync("sh", ["-c", `command -v ${name}`]).status !== 0);
  if (missing.length > 0) return `these programs are missing: ${missing.join(", ")}`;
  return whyNoNodes();
}

/**
 * A Kubernetes cluster of two nodes on this machine: the real programs, in networks that are connected to this host, with
 * the nodes at 198.19.77.1 and 198.19.77.2. Only one exists at a time. It ends with the process that started it.
 */
export class Cluster {
  static readonly #folder = join(tmpdir(), "ollama-stack-cluster");
  readonly folder = Cluster.#folder;
  /** Kubeconfig of an administrator. */
  readonly kubeconfig = join(this.folder, "kubeconfig", "admin");
  readonly nodes = machines.map((machine) => new Node(this.folder, machine));
  readonly #controlPlane = new Map<string, MachineProcess>();

  static async start(): Promise<Cluster> {
    await installPackages(["iproute2", "iptables"]);
    const cluster = new Cluster();
    await Cluster.removeLeftovers();
    try {
      await cluster.#start();
    } catch (error) {
      const states = [...cluster.#controlPlane].map(([name, { lastLines }]) => `${name}:\n${lastLines}`);
      const nodes = cluster.nodes.map(({ lastLines }) => lastLines);
      await cluster.stop();
      const message = error instanceof Error ? error.message : String(error);
      throw new Error([message, ...states, ...nodes].join("\n"), { cause: error });
    }
    return cluster;
  }

  /** Runs kubectl and returns what it prints. */
  kubectl(args: readonly string[], input?: string): string {
    const all = [`--kubeconfig=${this.kubeconfig}`, "--request-timeout=20s", ...args];
    return execFileSync(partBinary(clusterParts.kubectl), all, {
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
      maxBuffer: 64 << 20,
      input: input ?? "",
    });
  }

  /** Creates or changes objects. */
  apply(objects: object): void {
    this.kubectl(["apply", "--filename=-"], JSON.stringify(objects));
  }

  /** Returns an object or a list of objects from the API server. */
  get(...args: string[]): unknown {
    return JSON.parse(this.kubectl(["get", "--output=json", ...args]));
  }

  /** Loads images of this machine's Docker engine into all nodes. */
  loadImages(...references: string[]): void {
    const archive = join(this.folder, "images.tar");
    execFileSync("docker", ["save", "--output", archive, ...references]);
    this.loadArchive(archive);
  }

  /** Loads the images of an archive into all nodes, and removes the archive. */
  loadArchive(archive: string): void {
    for (const node of this.nodes) node.load(archive);
    rmSync(archive);
  }

  /** Freezes or resumes the API server. While frozen, it keeps connections open without responding. */
  setApiServer(state: "running" | "stopped"): void {
    this.#controlPlane.get("kube-apiserver")?.signal(state === "running" ? "SIGCONT" : "SIGSTOP");
  }

  /** Returns a node by its name. */
  node(name: string): Node {
    const found = this.nodes.find(({ machine }) => machine.name === name);
    if (found === undefined) throw new Error(`there is no node ${name}`);
    return found;
  }

  /** Stops it and removes everything it created. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.cut()));
    for (const part of this.#controlPlane.values()) await part.stop("SIGKILL");
    await this.#gone();
    await Cluster.removeLeftovers();
  }

  async #startApi(): Promise<void> {
    mkdirSync(this.folder, { recursive: true, mode: 0o755 });
    makeCertificates({ folder: this.folder, address: addresses.controlPlane, nodes: machines });
    makeNetwork();
    this.#startStore();
    await this.#until("the API server responds", () => this.kubectl(["get", "--raw", "/readyz"]) === "ok");
  }

  async #start(): Promise<void> {
    await this.#startApi();
    for (const node of this.nodes) node.prepare();
    this.#startControllers();
    for (const node of this.nodes) node.start();
    const archives = [
      programImage(this.folder, pauseImage, partBinary(clusterParts.pause)),
      programImage(this.folder, dnsImage, partBinary(clusterParts.coredns)),
    ];
    const [first] = machines;
    if (first !== undefined) reachServicesThrough(first);
    await this.#until("the nodes are ready", () => this.#areNodesReady());
    for (const archive of archives) this.loadArchive(archive);
    this.apply(dnsObjects);
    const status = () => this.get("daemonset", "--namespace=kube-system", "coredns") as DaemonSet;
    await this.#until("DNS is ready", () => status().status?.numberReady === machines.length);
  }

  #startStore(): void {
    const client = "http://127.0.0.1:2379";
    this.#run("etcd", [
      partBinary(clusterParts.etcd),
      `--data-dir=${join(this.folder, "etcd")}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      "--listen-peer-urls=http://127.0.0.1:2380",
      // Its data does not need to survive it.
      "--unsafe-no-fsync",
    ]);
    const pki = (name: string) => join(this.folder, "pki", name);
    this.#run("kube-apiserver", [
      partBinary(clusterParts.apiServer),
      `--advertise-address=${addresses.controlPlane}`,
      "--bind-address=0.0.0.0",
      "--secure-port=6443",
      `--etcd-servers=${client}`,
      `--service-cluster-ip-range=${serviceNetwork}`,
      `--tls-cert-file=${pki("apiserver.crt")}`,
      `--tls-private-key-file=${pki("apiserver.key")}`,
      `--client-ca-file=${pki("ca.crt")}`,
      `--service-account-key-file=${pki("accounts.pub")}`,
      `--service-account-signing-key-file=${pki("accounts.key")}`,
      "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
      "--authorization-mode=Node,RBAC",
      "--enable-admission-plugins=NodeRestriction",
      `--kubelet-client-certificate=${pki("kubelet-client.crt")}`,
      `--kubelet-client-key=${pki("kubelet-client.key")}`,
      "--kubelet-preferred-address-types=InternalIP",
      `--requestheader-client-ca-file=${pki("front.crt")}`,
      "--requestheader-allowed-names=front-proxy-client",
      "--requestheader-username-headers=X-Remote-User",
      "--requestheader-group-headers=X-Remote-Group",
      "--requestheader-extra-headers-prefix=X-Remote-Extra-",
      `--proxy-client-cert-file=${pki("front-client.crt")}`,
      `--proxy-client-key-file=${pki("front-client.key")}`,
    ]);
  }

  #startControllers(): void {
    const pki = (name: string) => join(this.folder, "pki", name);
    const as = (user: string) => {
      const file = join(this.folder, "kubeconfig", user);
      const all = ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"];
      return all.map((option) => `--${option}=${file}`);
    };
    this.#run("kube-controller-manager", [
      partBinary(clusterParts.controllerManager),
      ...as("controller-manager"),
      "--bind-address=127.0.0.1",
      `--service-account-private-key-file=${pki("accounts.key")}`,
      `--root-ca-file=${pki("ca.crt")}`,
      `--cluster-signing-cert-file=${pki("ca.crt")}`,
      `--cluster-signing-key-file=${pki("ca.key")}`,
      "--use-service-account-credentials=true",
      "--allocate-node-cidrs=false",
      "--leader-elect=false",
      "--node-monitor-grace-period=20s",
      "--node-monitor-period=2s",
    ]);
    const scheduler = [partBinary(clusterParts.scheduler), ...as("scheduler")];
    this.#run("kube-scheduler", [...scheduler, "--bind-address=127.0.0.1", "--leader-elect=false"]);
  }

  #run(name: string, command: readonly string[]): void {
    this.#controlPlane.set(name, new MachineProcess("control", command, join(this.folder, `${name}.log`)));
  }

  #areNodesReady(): boolean {
    const { items } = this.get("nodes") as NodeList;
    const ready = items.filter(({ status }) =>
      status.conditions?.some((each) => each.type === "Ready" && each.status === "True"),
    );
    return ready.length === machines.length;
  }

  /** Waits for a condition. Fails at once if a program has ended. */
  async #until(what: string, holds: () => boolean): Promise<void> {
    const until = Date.now() + readyWithinMs;
    for (;;) {
      const ended = [...this.#controlPlane].find(([, { running }]) => !running);
      if (ended !== undefined) throw new Error(`${ended[0]} ended while waiting until ${what}`);
      let why = "";
      try {
        if (holds()) return;
      } catch (error) {
        why = `: ${error instanceof Error ? error.message : String(error)}`;
      }
      if (Date.now() > until) throw new Error(`not in ${String(readyWithinMs / 1000)} s: ${what}${why}`);
      await sleep(200);
    }
  }

  /** Waits until the kernel has ended the processes of the nodes' namespaces, after their first. */
  async #gone(): Promise<void> {
    const namespaces = ["control", ...machines.map(({ name }) => name)].map(namespaceOf);
    const pids = (name: string) =>
      spawnSync("ip", ["netns", "pids", name], { encoding: "utf8" }).stdout.trim();
    const until = Date.now() + readyWithinMs;
    while (namespaces.some((name) => pids(name) !== "") && Date.now() < until) await sleep(50);
  }

  /** Removes the leftovers of a cluster whose process has ended. @throws Error while another cluster runs */
  static async removeLeftovers(): Promise<void> {
    // First, because it throws while another cluster runs.
    await removeNodeGroups(goneWithinMs);
    removeNetwork();
    rmSync(Cluster.#folder, { recursive: true, force: true });
  }
}

interface DaemonSet {
  readonly status?: { readonly numberReady?: number };
}

interface NodeList {
  readonly items: readonly {
    readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  }[];
}

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { removeControlGroups } from "../../host/control-groups.ts";
import { partBinary } from "../../../toolchain/binaries.ts";
import { clusterParts, networkPlugins } from "../../../toolchain/cluster-binaries.ts";
import { dnsAddress } from "./dns.ts";
import { type Machine, machines, setPlug } from "./network.ts";
import { MachineProcess } from "./process.ts";

// A node: containerd, the kubelet and kube-proxy, with their own network, mounts, processes and host name.

export const pauseImage = "localhost/pause:1";

/** Kernel settings that the kubelet writes for the machine. A file mounted over each receives the write instead. */
const kernelSettings = {
  "vm/overcommit_memory": "1",
  "vm/panic_on_oom": "0",
  "kernel/panic": "10",
  "kernel/panic_on_oops": "1",
};

const program = (part: keyof typeof clusterParts) => partBinary(clusterParts[part]);

export class Node {
  readonly machine: Machine;
  readonly folder: string;
  readonly #clusterFolder: string;
  #process: MachineProcess | undefined;

  constructor(clusterFolder: string, machine: Machine) {
    this.machine = machine;
    this.folder = join(clusterFolder, machine.name);
    this.#clusterFolder = clusterFolder;
  }

  get socket(): string {
    return join(this.folder, "run", "containerd.sock");
  }

  /** Writes its settings. */
  prepare(): void {
    for (const name of ["cni", "log", "manifests", "plugins", "run", "sysctl", "programs"])
      mkdirSync(join(this.folder, name), { recursive: true });
    makeControlGroups(this.#controlGroup);
    for (const plugin of networkPlugins)
      cpSync(partBinary(plugin), join(this.folder, "plugins", plugin.name));
    // containerd finds the shim, and the shim finds runc, on the path.
    for (const part of ["shim", "runc"] as const)
      cpSync(program(part), join(this.folder, "programs", clusterParts[part].name));
    for (const [name, value] of Object.entries(kernelSettings))
      writeFileSync(join(this.folder, "sysctl", name.replace("/", "-")), `${value}\n`);
    writeFileSync(join(this.folder, "resolv.conf"), "nameserver 127.0.0.1\n");
    writeFileSync(join(this.folder, "cni", "10-test.conflist"), JSON.stringify(this.#network()));
    writeFileSync(join(this.folder, "containerd.toml"), this.#containerd());
    writeFileSync(join(this.folder, "kubelet.yaml"), stringify(this.#kubelet()));
    writeFileSync(join(this.folder, "proxy.yaml"), stringify(this.#proxy()));
    writeFileSync(join(this.folder, "start.sh"), this.#startScript());
    chmodSync(join(this.folder, "start.sh"), 0o755);
  }

  start(): void {
    const apart = ["--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const command = ["unshare", ...apart, "--", join(this.folder, "start.sh")];
    this.#process = new MachineProcess(this.machine.name, command, join(this.folder, "log", "start"));
  }

  get running(): boolean {
    return this.#process?.running === true;
  }

  /** The last lines of its programs' logs, for error messages. */
  get lastLines(): string {
    return globSync(join(this.folder, "log", "*"))
      .map((file) => `${file}:\n${readFileSync(file, "utf8").trim().split("\n").slice(-6).join("\n")}`)
      .join("\n");
  }

  /** Kills it with all its pods. */
  async cut(): Promise<void> {
    await this.#process?.stop("SIGKILL");
    this.#process = undefined;
  }

  /** Kills it with its network, like a power cut, so that nobody is notified. */
  async losePower(): Promise<void> {
    setPlug(this.machine, "down");
    await this.cut();
  }

  /** Starts it after a power cut, with the files on its disk. */
  returnPower(): void {
    // A real machine would have lost it, because it is in memory there.
    rmSync(this.socket, { force: true });
    setPlug(this.machine, "up");
    this.start();
  }

  /** Loads an archive of images into containerd. */
  load(archive: string): void {
    const options = ["--address", this.socket, "--namespace", "k8s.io"];
    execFileSync(program("ctr"), [...options, "images", "import", archive], { stdio: "pipe" });
  }

  get #controlGroup(): string {
    return controlGroupOf(this.machine);
  }

  #network() {
    const { podNetwork } = this.machine;
    const ranges = [[{ subnet: podNetwork }]];
    const ipam = {
      type: "host-local",
      dataDir: join(this.folder, "ipam"),
      ranges,
      routes: [{ dst: "0.0.0.0/0" }],
    };
    return {
      cniVersion: "1.0.0",
      name: "test",
      plugins: [
        { type: "ptp", ipMasq: true, ipam },
        { type: "portmap", capabilities: { portMappings: true }, snat: true },
      ],
    };
  }

  #containerd(): string {
    return `version = 3
root = "${this.folder}/containerd"
state = "${this.folder}/run/containerd"
[grpc]
  address = "${this.socket}"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "${pauseImage}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  BinaryName = "${this.folder}/programs/runc"
  SystemdCgroup = false
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["${this.folder}/plugins"]
  conf_dir = "${this.folder}/cni"
[plugins.'io.containerd.internal.v1.opt']
  path = "${this.folder}/opt"
`;
  }

  #kubelet() {
    return {
      apiVersion: "kubelet.config.k8s.io/v1beta1",
      kind: "KubeletConfiguration",
      failCgroupV1: false,
      cgroupDriver: "cgroupfs",
      cgroupRoot: `/${this.#controlGroup}`,
      failSwapOn: false,
      containerRuntimeEndpoint: `unix://${this.socket}`,
      authentication: {
        anonymous: { enabled: false },
        webhook: { enabled: true },
        x509: { clientCAFile: join(this.#clusterFolder, "pki", "ca.crt") },
      },
      authorization: { mode: "Webhook" },
      clusterDomain: "cluster.local",
      clusterDNS: [dnsAddress],
      resolvConf: join(this.folder, "resolv.conf"),
      address: this.machine.address,
      healthzBindAddress: "127.0.0.1",
      staticPodPath: join(this.folder, "manifests"),
      podLogsDir: join(this.folder, "pods-log"),
      volumePluginDir: join(this.folder, "volume-plugins"),
      evictionHard: { "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
      imageGCHighThresholdPercent: 99,
      imageGCLowThresholdPercent: 98,
      nodeStatusUpdateFrequency: "4s",
      kernelMemcgNotification: false,
      systemReserved: { memory: "512Mi" },
    };
  }

  #proxy() {
    return {
      apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
      kind: "KubeProxyConfiguration",
      mode: "iptables",
      clientConnection: { kubeconfig: join(this.#clusterFolder, "kubeconfig", "proxy") },
      hostnameOverride: this.machine.name,
      clusterCIDR: "10.244.0.0/16",
      conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
      metricsBindAddress: "127.0.0.1:10249",
    };
  }

  #startScript(): string {
    const { name, address } = this.machine;
    const folder = this.folder;
    const kubelet = [
      `--config=${folder}/kubelet.yaml`,
      `--kubeconfig=${this.#clusterFolder}/kubeconfig/${name}`,
      `--hostname-override=${name}`,
      `--node-ip=${address}`,
      `--root-dir=${folder}/kubelet`,
      `--cert-dir=${folder}/kubelet/pki`,
    ];
    const settings = Object.keys(kernelSettings).map(
      (key) => `mount --bind ${folder}/sysctl/${key.replace("/", "-")} /proc/sys/${key}`,
    );
    // Folders that the kubelet, containerd and the network plugins have no setting for, so that a node leaves nothing behind.
    const own = ["/run", "/var/lib", "/var/log"].map((path) => `mount -t tmpfs -o mode=755 node ${path}`);
    return `#!/bin/sh
set -e
mount --make-rshared /
hostname ${name}
${[...settings, ...own].join("\n")}
mkdir /run/lock
export PATH=${folder}/programs:$PATH
${program("containerd")} --config ${folder}/containerd.toml > ${folder}/log/containerd 2>&1 &
until [ -S ${this.socket} ]; do sleep 0.1; done
${program("proxy")} --config ${folder}/proxy.yaml > ${folder}/log/kube-proxy 2>&1 &
${program("kubelet")} ${kubelet.join(" ")} > ${folder}/log/kubelet 2>&1 &
wait
`;
  }
}

function controlGroupOf({ name }: Machine): string {
  return `ollama-stack-cluster-${name}`;
}

/** Creates a group in the tree of each controller. A new group has no processors until some are assigned. */
function makeControlGroups(group: string): void {
  for (const controller of globSync("/sys/fs/cgroup/*/cgroup.procs").map(dirname)) {
    if (controller.endsWith("/unified")) continue;
    mkdirSync(join(controller, group), { recursive: true });
    for (const name of ["cpuset.cpus", "cpuset.mems"]) {
      const file = join(controller, name);
      if (existsSync(file)) writeFileSync(join(controller, group, name), readFileSync(file));
    }
  }
}

/** Removes the nodes' control groups, also those of a killed run. @throws Error while another cluster runs */
export async function removeNodeGroups(withinMs: number): Promise<void> {
  await removeControlGroups(machines.map(controlGroupOf), withinMs);
}

/** Why nodes cannot run on this machine; undefined if they can. */
export function whyNoNodes(): string | undefined {
  if (!existsSync("/sys/fs/cgroup/memory/cgroup.procs"))
    return "its nodes have only been made on a machine with version 1 of control groups";
  return undefined;
}

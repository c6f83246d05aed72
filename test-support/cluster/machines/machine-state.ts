import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";

const kernel = ["vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "vm/panic_on_oom"];

/** Folders in which a kubelet, containerd or the network plugins could leave files. */
const folders = ["/etc/cni", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods"];

/** The state of this machine that a test cluster might change. */
export function machineState() {
  return {
    settings: kernel.map((name) => readFileSync(`/proc/sys/${name}`, "utf8")),
    folders: folders.filter((folder) => existsSync(folder)),
    namespaces: existsSync("/run/netns")
      ? readdirSync("/run/netns").filter((name) => /^cni-|cluster/.test(name))
      : [],
    groups: globSync("/sys/fs/cgroup/*/{ollama-stack-cluster,k8s}*"),
    links: globSync("/sys/class/net/os-cluster*"),
  };
}

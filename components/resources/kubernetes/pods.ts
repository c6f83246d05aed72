import type { ParsedConfig } from "../../config/keys.ts";
import type { ContainerLimits } from "../container/service-container.ts";

// What the pods of a stack have in common: they satisfy the profile "restricted" of the Pod Security Standards.

/** As in the gateway's image. */
export const user = 65532;

/** What the namespace demands of every pod in it. No profile but the open one has folders of the node. */
export function securityLabels({ modelHostPath }: Pick<ParsedConfig, "modelHostPath">) {
  const profile = modelHostPath === "" ? "restricted" : "privileged";
  return { "pod-security.kubernetes.io/enforce": profile };
}

/** With which a node gets images from a registry. */
export function pullSecrets({ imagePullSecrets }: Pick<ParsedConfig, "imagePullSecrets">) {
  return imagePullSecrets.length === 0
    ? {}
    : { imagePullSecrets: imagePullSecrets.map((name) => ({ name })) };
}

export const podSecurity = {
  enableServiceLinks: false,
  automountServiceAccountToken: false,
  securityContext: {
    runAsNonRoot: true,
    runAsUser: user,
    runAsGroup: user,
    // Volumes are this group's to write.
    fsGroup: user,
    seccompProfile: { type: "RuntimeDefault" },
  },
};

/** Pods without a volume: they are made again a minute after their node was lost, and not after five. */
export const leavesLostNode = {
  tolerations: ["not-ready", "unreachable"].map((state) => ({
    key: `node.kubernetes.io/${state}`,
    operator: "Exists",
    effect: "NoExecute",
    tolerationSeconds: 60,
  })),
};

export const containerSecurity = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};

export function variables(values: Readonly<Record<string, unknown>>) {
  return Object.entries(values).map(([name, value]) => ({ name, value }));
}

/** The memory is set aside, for a pod that is killed for it loses its requests; processors are shared. */
export function resources({ memoryMiB, cpus }: Pick<ContainerLimits, "memoryMiB" | "cpus">) {
  const memory = `${String(memoryMiB)}Mi`;
  return {
    requests: { memory, cpu: "100m" },
    limits: { memory, ...(cpus === "" ? {} : { cpu: cpus }) },
  };
}

/** Files in memory, which nothing outlives. */
export function temporaryFolder(name: string, sizeMiB: number) {
  return { name, emptyDir: { medium: "Memory", sizeLimit: `${String(sizeMiB)}Mi` } };
}

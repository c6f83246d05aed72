import type { ParsedConfig } from "../../config/keys.ts";
import type { ContainerLimits } from "../container/service-container.ts";

// Settings shared by all pods of a stack, which satisfy the "restricted" profile of the Pod Security Standards.

/** The same as in the gateway's image. */
export const user = 65532;

/** The namespace's pod security profile. Only the privileged one allows host paths. */
export function securityLabels({ modelHostPath }: Pick<ParsedConfig, "modelHostPath">) {
  const profile = modelHostPath === "" ? "restricted" : "privileged";
  return { "pod-security.kubernetes.io/enforce": profile };
}

/** Secrets with which nodes pull images. */
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
    // Makes volumes writable.
    fsGroup: user,
    seccompProfile: { type: "RuntimeDefault" },
  },
};

/** Recreates pods without a volume one minute after their node is lost, instead of five. */
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

// The API server rejects a request above the limit.
const requestedCpus = (cpus: string) => (cpus !== "" && Number(cpus) < 0.1 ? cpus : "100m");

/** Reserves the full memory, because a pod killed for lack of memory loses its requests; CPUs are shared. */
export function resources({ memoryMiB, cpus }: Pick<ContainerLimits, "memoryMiB" | "cpus">) {
  const memory = `${String(memoryMiB)}Mi`;
  return {
    requests: { memory, cpu: requestedCpus(cpus) },
    limits: { memory, ...(cpus === "" ? {} : { cpu: cpus }) },
  };
}

/** An in-memory volume. */
export function temporaryFolder(name: string, sizeMiB: number) {
  return { name, emptyDir: { medium: "Memory", sizeLimit: `${String(sizeMiB)}Mi` } };
}

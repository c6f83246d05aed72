import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { partBinary } from "../../../toolchain/binaries.ts";
import { clusterParts } from "../../../toolchain/cluster-binaries.ts";
import type { ClusterStack } from "./cluster-stack.ts";

/** A kubeconfig for an account of the cluster without any rights. */
export function unprivileged({ cluster, project }: ClusterStack): string {
  const file = join(project.folder, "unprivileged");
  const config = JSON.parse(readFileSync(cluster.kubeconfig, "utf8")) as { users: { user: object }[] };
  const token = cluster.kubectl(["create", "token", "default", "--namespace=default"]).trim();
  for (const user of config.users) user.user = { token };
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

/** Variables that make kubectl report the identity of another cluster. */
export function otherCluster({ cluster, project }: ClusterStack): NodeJS.ProcessEnv {
  const { metadata } = cluster.get("namespace", "kube-system") as {
    readonly metadata: { readonly uid: string };
  };
  const folder = join(project.folder, "other-cluster");
  mkdirSync(folder, { recursive: true });
  const kubectl = partBinary(clusterParts.kubectl);
  const script = `#!/bin/sh
case "$*" in
*metadata.name=kube-system*) '${kubectl}' "$@" | sed 's/${metadata.uid}/${"0".repeat(36)}/' ;;
*) exec '${kubectl}' "$@" ;;
esac
`;
  writeFileSync(join(folder, "kubectl"), script, { mode: 0o755 });
  return { PATH: [folder, process.env["PATH"]].join(delimiter) };
}

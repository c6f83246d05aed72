import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "../cluster.ts";

/** A storage class for existing volumes: a folder on each node. */
export const storageClass = "folders";

const metadata = { name: storageClass };

function objects(cluster: Cluster): object {
  const volumes = cluster.nodes.map(({ machine, folder }) => ({
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: `${storageClass}-${machine.name}` },
    spec: {
      capacity: { storage: "50Gi" },
      accessModes: ["ReadWriteOnce"],
      persistentVolumeReclaimPolicy: "Retain",
      storageClassName: storageClass,
      local: { path: join(folder, "models") },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            {
              matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [machine.name] }],
            },
          ],
        },
      },
    },
  }));
  const theirClass = {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata,
    provisioner: "kubernetes.io/no-provisioner",
    volumeBindingMode: "WaitForFirstConsumer",
  };
  return { apiVersion: "v1", kind: "List", items: [theirClass, ...volumes] };
}

/** Creates a volume of this class on each node. */
export function makeVolumes(cluster: Cluster): void {
  for (const { folder } of cluster.nodes) mkdirSync(join(folder, "models"), { recursive: true });
  cluster.apply(objects(cluster));
}

/** Removes the class. Its volumes are removed with the cluster. */
export function removeVolumes(cluster: Cluster): void {
  cluster.kubectl(["delete", "storageclass", storageClass, "--ignore-not-found"]);
}

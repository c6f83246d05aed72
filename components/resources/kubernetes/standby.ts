import type * as pulumi from "@pulumi/pulumi";
import { variables as gatewayVariables } from "../../../gateway/src/config/config.ts";
import { standbyRights } from "../../config/kubernetes/standby-rights.ts";
import { ClusterObject } from "./objects.ts";

// One gateway is active and the others stand by. A Lease elects the active one, which maintains the Service's EndpointSlice.

/** Name of the Service, the Lease, the ServiceAccount and its Role. */
const name = "gateway";

// The kubelet renews the token before it expires.
const tokenSeconds = 3600;

/** The gateways' service account, with only the permissions for electing the active one. */
export function standbyAccount(
  namespace: string,
  opts: pulumi.CustomResourceOptions,
): readonly ClusterObject[] {
  const metadata = { name, namespace };
  const account = new ClusterObject(
    "ServiceAccount",
    `${name}-account`,
    // Only the container that needs the token mounts it.
    { metadata, automountServiceAccountToken: false },
    opts,
  );
  const rules = standbyRights.map(({ group, resource, verbs, name: only }) => ({
    apiGroups: [group],
    resources: [resource],
    verbs,
    ...(only === undefined ? {} : { resourceNames: [only] }),
  }));
  const role = new ClusterObject("Role", `${name}-role`, { metadata, rules }, opts);
  const binding = new ClusterObject(
    "RoleBinding",
    `${name}-binding`,
    {
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
      subjects: [{ kind: "ServiceAccount", name, namespace }],
    },
    { ...opts, dependsOn: [account, role] },
  );
  return [account, role, binding];
}

const field = (variable: string, fieldPath: string) => ({
  name: variable,
  valueFrom: { fieldRef: { fieldPath } },
});

/** Additional settings of a gateway's pod with standbys. */
export function standbyPod(namespace: string) {
  return {
    account: { serviceAccountName: name },
    env: [
      { name: "STANDBY_LEASE", value: `${namespace}/${name}` },
      field("POD_NAME", "metadata.name"),
      field("POD_UID", "metadata.uid"),
      field("POD_IP", "status.podIP"),
    ],
    mount: { name: "account", mountPath: gatewayVariables.SERVICE_ACCOUNT_FOLDER.default, readOnly: true },
    volume: {
      name: "account",
      projected: {
        sources: [
          { serviceAccountToken: { path: "token", expirationSeconds: tokenSeconds } },
          // Kubernetes creates it in every namespace.
          { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        ],
      },
    },
  };
}

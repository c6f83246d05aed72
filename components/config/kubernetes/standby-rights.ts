/** A permission in a namespace. */
export interface NamespaceRight {
  readonly group: string;
  readonly resource: string;
  readonly verbs: readonly string[];
  /** Restricts it to the object of this name. */
  readonly name?: string;
}

/** Permissions of gateways that stand by. Whoever deploys the stack needs them too, in order to grant them. */
export const standbyRights: readonly NamespaceRight[] = [
  // RBAC cannot restrict create to a name.
  { group: "coordination.k8s.io", resource: "leases", verbs: ["create"] },
  { group: "coordination.k8s.io", resource: "leases", verbs: ["get", "update"], name: "gateway" },
  { group: "discovery.k8s.io", resource: "endpointslices", verbs: ["create"] },
  {
    group: "discovery.k8s.io",
    resource: "endpointslices",
    // Some clusters require delete in order to set an owner reference.
    verbs: ["get", "update", "delete"],
    name: "gateway-active",
  },
];

/** A right in a namespace. */
export interface NamespaceRight {
  readonly group: string;
  readonly resource: string;
  readonly verbs: readonly string[];
  /** Of the only object that it is about. */
  readonly name?: string;
}

/** What a gateway that may stand by needs in the namespace, and so whoever gives it these rights. */
export const standbyRights: readonly NamespaceRight[] = [
  // A role cannot name what is created.
  { group: "coordination.k8s.io", resource: "leases", verbs: ["create"] },
  { group: "coordination.k8s.io", resource: "leases", verbs: ["get", "update"], name: "gateway" },
  { group: "discovery.k8s.io", resource: "endpointslices", verbs: ["create"] },
  {
    group: "discovery.k8s.io",
    resource: "endpointslices",
    // Some clusters demand the right to delete of whoever says which pod an object goes with.
    verbs: ["get", "update", "delete"],
    name: "gateway-active",
  },
];

import { hasStandbys, isGatewayScaled } from "./gateway-count.ts";
import type { ParsedConfig } from "../keys.ts";

// The objects that a stack may create in a cluster; resources, permission checks and previews share this list.

interface ObjectType {
  readonly apiVersion: string;
  /** Plural name, as RBAC rules use it. */
  readonly resource: string;
}

export const objectTypes = {
  Namespace: { apiVersion: "v1", resource: "namespaces" },
  ConfigMap: { apiVersion: "v1", resource: "configmaps" },
  Secret: { apiVersion: "v1", resource: "secrets" },
  Service: { apiVersion: "v1", resource: "services" },
  StatefulSet: { apiVersion: "apps/v1", resource: "statefulsets" },
  Deployment: { apiVersion: "apps/v1", resource: "deployments" },
  PodDisruptionBudget: { apiVersion: "policy/v1", resource: "poddisruptionbudgets" },
  NetworkPolicy: { apiVersion: "networking.k8s.io/v1", resource: "networkpolicies" },
  ServiceAccount: { apiVersion: "v1", resource: "serviceaccounts" },
  Role: { apiVersion: "rbac.authorization.k8s.io/v1", resource: "roles" },
  RoleBinding: { apiVersion: "rbac.authorization.k8s.io/v1", resource: "rolebindings" },
  Ingress: { apiVersion: "networking.k8s.io/v1", resource: "ingresses" },
  Gateway: { apiVersion: "gateway.networking.k8s.io/v1", resource: "gateways" },
  HTTPRoute: { apiVersion: "gateway.networking.k8s.io/v1", resource: "httproutes" },
  HorizontalPodAutoscaler: { apiVersion: "autoscaling/v2", resource: "horizontalpodautoscalers" },
  ScaledObject: { apiVersion: "keda.sh/v1alpha1", resource: "scaledobjects" },
  TriggerAuthentication: { apiVersion: "keda.sh/v1alpha1", resource: "triggerauthentications" },
  PodMonitor: { apiVersion: "monitoring.coreos.com/v1", resource: "podmonitors" },
} as const satisfies Readonly<Record<string, ObjectType>>;
export type ObjectKind = keyof typeof objectTypes;
export const objectKinds = Object.keys(objectTypes) as ObjectKind[];

/** The type of a kind in Pulumi's provider. */
export function resourceType(kind: ObjectKind): string {
  const { apiVersion } = objectTypes[kind];
  return `kubernetes:${apiVersion === "v1" ? "core/v1" : apiVersion}:${kind}`;
}

type OptionalKeys = Pick<
  ParsedConfig,
  | "ingressHostnames"
  | "ingressClass"
  | "autoscaling"
  | "gatewayReplicas"
  | "gatewayMaxReplicas"
  | "podMonitor"
  | "state"
>;

/** The kinds that depend on the config; every stack has the others. */
export function optionalKinds(config: OptionalKeys): readonly ObjectKind[] {
  const outside: readonly ObjectKind[] =
    config.ingressHostnames.length === 0
      ? []
      : config.ingressClass === ""
        ? ["Gateway", "HTTPRoute"]
        : ["Ingress"];
  const scaling: Readonly<Record<ParsedConfig["autoscaling"], readonly ObjectKind[]>> = {
    none: [],
    hpa: ["HorizontalPodAutoscaler"],
    keda: ["ScaledObject", "TriggerAuthentication"],
  };
  const scalers = new Set([
    ...scaling[config.autoscaling],
    ...(isGatewayScaled(config) ? (["HorizontalPodAutoscaler"] as const) : []),
  ]);
  const standby: readonly ObjectKind[] = hasStandbys(config) ? ["ServiceAccount", "Role", "RoleBinding"] : [];
  return [...outside, ...scalers, ...(config.podMonitor ? ["PodMonitor" as const] : []), ...standby];
}

import { z } from "zod";
import { isAllowed } from "../../../gateway/src/config/config.ts";
import { boolean, integer, scalar, textMap } from "../key-types.ts";

// Types of the keys for stacks on Kubernetes. Each message completes "KEY is VALUE, but must be ...".

const labelPart = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?";
const labelKey = new RegExp(`^([a-z0-9.-]{1,253}/)?${labelPart}$`);
const labelValue = new RegExp(`^(${labelPart})?$`);

/** A domain name, which may consist of digits only. */
export const domainName = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
/** The name of an object, or empty. */
export const objectName = /^(|[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)$/;
const named = (what: string) => z.string().regex(objectName, `the name of ${what}, or empty`);
const listed = (what: string) =>
  z.array(
    z.string(`the name of ${what}`).regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, `the name of ${what}`),
    "a list of names",
  );

const nodeSelector = textMap(
  "a map of labels to values",
  "a Kubernetes label and its value",
  (key, value) => labelKey.test(key) && labelValue.test(value),
);

const tolerationAllowed = "{key?, operator?: Exists or Equal, value?, effect?, tolerationSeconds?}";
const seconds = "a whole number of seconds";
const toleration = z
  .strictObject(
    {
      key: z.string("a taint's key").regex(labelKey, "a taint's key").optional(),
      operator: z.enum(["Exists", "Equal"], "Exists or Equal").optional(),
      value: scalar("a taint's value")
        .refine((text) => labelValue.test(text), "a taint's value")
        .optional(),
      effect: z
        .enum(["NoSchedule", "PreferNoSchedule", "NoExecute"], "NoSchedule, PreferNoSchedule or NoExecute")
        .optional(),
      tolerationSeconds: scalar(seconds)
        .refine((text) => /^\d{1,9}$/.test(text), seconds)
        .transform(Number)
        .optional(),
    },
    tolerationAllowed,
  )
  .superRefine(({ key, operator, value = "", effect, tolerationSeconds }, context) => {
    const reject = (field: string, message: string) => {
      context.addIssue({ code: "custom", path: [field], message });
    };
    if (key === undefined && operator !== "Exists") reject("operator", "Exists without a key");
    if (operator === "Exists" && value !== "") reject("value", "left out with operator Exists");
    if (tolerationSeconds !== undefined && effect !== "NoExecute")
      reject("effect", "NoExecute with tolerationSeconds");
  });

const sourceAllowed = "a network such as 10.0.0.0/8, or namespace/NAME";
const namespaceName = /^namespace\/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Where clients of the gateway run: a network, or a namespace in the cluster. */
const source = z
  .string(sourceAllowed)
  .refine(
    (text) =>
      namespaceName.test(text) || z.cidrv4().safeParse(text).success || z.cidrv6().safeParse(text).success,
    sourceAllowed,
  );

// An Ingress accepts neither addresses nor upper-case letters.
const hostname = z
  .string("a host name")
  .regex(
    /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/,
    "a host name of lower-case letters, digits, '-' and '.'",
  );

const annotations = textMap(
  "a map of annotations to values",
  "a Kubernetes annotation and its value",
  (key) => labelKey.test(key),
);

const stateAddress = z
  .string()
  .refine(
    (text) => text === "" || (text !== "memory" && isAllowed("SHARED_STATE", text)),
    "the URL of a Valkey or Redis such as redis://valkey.example.org:6379, without a password, or empty for the stack's own Valkey",
  );

export const engine = z.enum(["docker", "kubernetes"], "docker or kubernetes");

export const kubernetesKeys = {
  kubeconfig: z.string().regex(/^(|\/.+|[A-Za-z]:[\\/].+)$/, "the absolute path of a file, or empty"),
  kubeContext: z.string(),
  namespace: z
    .string()
    .regex(
      /^(|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)$/,
      "a name of at most 63 lower-case letters, digits and '-', or empty for the default",
    ),
  imageRegistry: z
    .string()
    .regex(
      /^(|[A-Za-z0-9.-]+(:\d{1,5})?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*)$/,
      "a registry, with or without a path, such as registry.example.org/you, or empty",
    ),
  imagePullSecrets: listed("a Secret"),
  storageClass: named("a storage class"),
  modelStorageGiB: integer(1, 65_536),
  modelHostPath: z
    .string()
    .regex(/^(|\/[^\s:]*[^\s:/])$/, "the absolute path of a folder on the nodes, or empty"),
  nodeSelector,
  tolerations: z.array(toleration, "a list of tolerations"),
  gpuResource: z
    .string()
    .regex(
      /^(nvidia\.com\/(gpu|mig-[a-z0-9.+-]{1,40}|gpu\.shared)|amd\.com\/gpu)$/,
      "nvidia.com/gpu, nvidia.com/gpu.shared, nvidia.com/mig-..., or amd.com/gpu",
    ),
  gpusPerPod: integer(0, 64),
  gpuGroups: z.array(
    z.coerce.number("a group id").int("a group id").min(1, "a group id").max(2_147_483_647, "a group id"),
    "a list of group ids",
  ),
  runtimeClass: named("a runtime class"),
  ingressClass: named("an ingress class"),
  gatewayClass: named("a gateway class"),
  ingressHostnames: z.array(hostname, "a list of names"),
  ingressTlsSecret: named("a Secret"),
  ingressAnnotations: annotations,
  gatewayAllowedSources: z.array(source, "a list of networks and namespaces"),
  autoscaling: z.enum(["none", "keda", "hpa"], "none, keda or hpa"),
  ollamaMinReplicas: integer(0, 1000),
  ollamaMaxReplicas: integer(1, 1000),
  podMonitor: boolean,
  state: z.enum(["memory", "redis"], "memory or redis"),
  stateAddress,
  statePasswordSecret: named("a Secret"),
  gatewayMaxReplicas: integer(1, 100),
};

import { z } from "zod";

// Types of the keys that only a stack on Kubernetes has. Each message completes "KEY is VALUE, but must be ...".

const labelPart = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?";
const labelKey = new RegExp(`^([a-z0-9.-]{1,253}/)?${labelPart}$`);
const labelValue = new RegExp(`^(${labelPart})?$`);

const objectName = /^(|[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)$/;

const nodeSelector = z
  .record(z.string(), z.unknown(), "a map of labels to values")
  .transform((labels, context): Readonly<Record<string, string>> => {
    const texts = Object.entries(labels).map(([key, value]) => [key, String(value)] as const);
    for (const [key, value] of texts)
      if (!labelKey.test(key) || !labelValue.test(value))
        context.addIssue({ code: "custom", path: [key], message: "a label of Kubernetes and its value" });
    return Object.fromEntries(texts);
  });

const tolerationAllowed = "{key?, operator?: Exists or Equal, value?, effect?, tolerationSeconds?}";
const toleration = z.strictObject(
  {
    key: z.string(tolerationAllowed).optional(),
    operator: z.enum(["Exists", "Equal"], "Exists or Equal").optional(),
    value: z.coerce.string(tolerationAllowed).optional(),
    effect: z
      .enum(["NoSchedule", "PreferNoSchedule", "NoExecute"], "NoSchedule, PreferNoSchedule or NoExecute")
      .optional(),
    tolerationSeconds: z.coerce.number(tolerationAllowed).int(tolerationAllowed).min(0).optional(),
  },
  tolerationAllowed,
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
  storageClass: z.string().regex(objectName, "the name of a storage class, or empty"),
  nodeSelector,
  tolerations: z.array(toleration, "a list of tolerations"),
};

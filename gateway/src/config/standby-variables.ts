import * as z from "zod";
import { type Definition, integer, parsed, port, SECOND } from "./env-types.ts";

const name = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

/** Variables for standby gateways in a cluster. */
export const standbyVariables = {
  STANDBY_LEASE: {
    schema: parsed(parseLease),
    allowed: "NAMESPACE/NAME",
    default: "",
    description:
      "Lease of Kubernetes whose holder is the active gateway; the others stand by. The active one writes itself to the " +
      "EndpointSlice NAME-active of the Service NAME, which has no selector. Needs POD_NAME, POD_UID, POD_IP and " +
      "KUBERNETES_SERVICE_HOST. Empty: this gateway is always active.",
  },
  STANDBY_LEASE_DURATION_MS: integer(1000, 600_000, "ms", {
    default: `${15 * SECOND}`,
    description:
      "How long the Lease of a lost gateway still counts. The active one renews it every 2 s, more often with less " +
      "than 15 s, and ceases to be active if it could not renew it for two thirds of this time.",
  }),
  POD_NAME: {
    schema: z.string().regex(new RegExp(`^$|${name.source}`)),
    allowed: "the name of a pod",
    default: "",
    description: "Name of this gateway's pod, for STANDBY_LEASE.",
  },
  POD_UID: {
    schema: z.string().regex(/^[\w-]{0,64}$/),
    allowed: "the uid of a pod",
    default: "",
    description: "Uid of that pod, which owns the EndpointSlice.",
  },
  POD_IP: {
    schema: z.string().regex(/^[0-9A-Fa-f:.]*$/),
    allowed: "an IP address",
    default: "",
    description: "Address of that pod, to which the Service sends requests.",
  },
  KUBERNETES_SERVICE_HOST: {
    schema: z.string().regex(/^[A-Za-z0-9._:-]*$/),
    allowed: "a host name or an IP address",
    default: "",
    description: "Host of the API server, for STANDBY_LEASE. Kubernetes sets it in every pod.",
  },
  KUBERNETES_SERVICE_PORT: port({
    default: "443",
    description: "Port of the API server. Kubernetes sets it in every pod.",
  }),
  SERVICE_ACCOUNT_FOLDER: {
    schema: z.string().regex(/^\/.+$/),
    allowed: "the absolute path of a folder",
    default: "/var/run/secrets/kubernetes.io/serviceaccount",
    description:
      "Folder with `token` and `ca.crt`, for access to the API server. Read again for each request.",
  },
} satisfies Record<string, Definition<unknown>>;

function parseLease(text: string): { readonly namespace: string; readonly name: string } | undefined {
  if (text === "") return undefined;
  const [namespace = "", lease = "", ...more] = text.split("/");
  if (!name.test(namespace) || !name.test(lease) || more.length > 0)
    throw new Error("it is not NAMESPACE/NAME");
  return { namespace, name: lease };
}

const needed = ["POD_NAME", "POD_UID", "POD_IP", "KUBERNETES_SERVICE_HOST"] as const;

/** @throws Error if STANDBY_LEASE is set without the variables that it needs */
export function checkStandby(
  config: Readonly<Record<(typeof needed)[number], string>> & { readonly STANDBY_LEASE: object | undefined },
): void {
  if (config.STANDBY_LEASE === undefined) return;
  const missing = needed.filter((each) => config[each] === "");
  if (missing.length > 0)
    throw new Error(`it needs ${missing.join(", ")}, which ${missing.length === 1 ? "is" : "are"} empty`);
}

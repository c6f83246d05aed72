import { z } from "zod";
import { type ObjectKind, resourceType } from "../../components/config/kubernetes/cluster-objects.ts";
import { enumerate } from "../../components/config/enumerate.ts";
import { resourceOf, type Step } from "./steps.ts";

// Clients that lose access to the gateway of a stack in a cluster through an update.

const ingress = z.object({
  spec: z.object({
    ingressClassName: z.string(),
    rules: z.array(z.object({ host: z.string() })),
  }),
});
const route = z.object({ spec: z.object({ hostnames: z.array(z.string()) }) });
const gateway = z.object({ spec: z.object({ gatewayClassName: z.string() }) });
const peer = z.object({
  ipBlock: z.object({ cidr: z.string() }).optional(),
  namespaceSelector: z.object({ matchLabels: z.record(z.string(), z.string()) }).optional(),
});
const policy = z.object({
  metadata: z.object({ name: z.literal("gateway") }),
  spec: z.object({ ingress: z.array(z.object({ from: z.array(peer).optional() })) }),
});

type Inputs = "oldState" | "newState";

/** One line for each way of access that an update removes. */
export function clusterAccess(steps: readonly Step[]): string[] {
  const of = (kind: ObjectKind) => steps.filter((step) => resourceOf(step).type === resourceType(kind));
  const entries = [...of("Ingress"), ...of("HTTPRoute")];
  const hosts = (which: Inputs) => new Set(entries.flatMap((step) => hostsOf(step, which)));
  const [before, after] = [hosts("oldState"), hosts("newState")];
  const closed = [...before].filter((host) => !after.has(host));
  const lines: string[] = [];
  if (closed.length > 0)
    lines.push(
      `**Interrupts** clients outside the cluster: they no longer reach the gateway by ${listed(closed)}.`,
    );
  const entered = [...of("Ingress"), ...of("Gateway")];
  const classes = (which: Inputs) => entered.flatMap((step) => classOf(step, which) ?? []).join();
  const stays = [...before].filter((host) => after.has(host));
  if (stays.length > 0 && classes("oldState") !== classes("newState"))
    lines.push(
      `**Interrupts** clients outside the cluster until DNS has the address of \`${classes("newState")}\` for ${listed(stays)}, in place of that of \`${classes("oldState")}\`.`,
    );
  return [...lines, ...of("NetworkPolicy").flatMap((step) => narrowed(step) ?? [])];
}

/** An object before or after an update; undefined if it does not exist. */
function inputsOf({ op, ...step }: Step, which: Inputs): unknown {
  const isThere = which === "oldState" ? op !== "create" : op !== "delete";
  return isThere ? step[which]?.inputs : undefined;
}

function hostsOf(step: Step, which: Inputs): readonly string[] {
  const inputs = inputsOf(step, which);
  const rules = ingress.safeParse(inputs).data?.spec.rules.map(({ host }) => host);
  return rules ?? route.safeParse(inputs).data?.spec.hostnames ?? [];
}

function classOf(step: Step, which: Inputs): string | undefined {
  const inputs = inputsOf(step, which);
  return (
    ingress.safeParse(inputs).data?.spec.ingressClassName ??
    gateway.safeParse(inputs).data?.spec.gatewayClassName
  );
}

/** Describes a stricter network policy of the gateway. */
function narrowed(step: Step): string | undefined {
  const [before, after] = (["oldState", "newState"] as const).map((which) =>
    sourcesOf(inputsOf(step, which)),
  );
  if (before === undefined || after === undefined || after === "all") return undefined;
  const rest = "where the cluster's network enforces policies.";
  if (before === "all")
    return `**Interrupts** clients anywhere but in ${listed(after)}: \`gatewayAllowedSources\` lets only these reach the gateway, ${rest}`;
  const shutOut = before.filter((source) => !after.includes(source));
  return shutOut.length === 0
    ? undefined
    : `**Interrupts** clients in ${listed(shutOut)}: \`gatewayAllowedSources\` no longer lets them reach the gateway, ${rest}`;
}

/** The allowed sources in a policy, in the config's format; undefined for any other policy. */
function sourcesOf(inputs: unknown): readonly string[] | "all" | undefined {
  const { data } = policy.safeParse(inputs);
  if (data === undefined) return undefined;
  const [rule] = data.spec.ingress;
  if (rule?.from === undefined) return "all";
  return rule.from.flatMap(({ ipBlock, namespaceSelector }) =>
    ipBlock === undefined
      ? Object.values(namespaceSelector?.matchLabels ?? {}).map((name) => `namespace/${name}`)
      : [ipBlock.cidr],
  );
}

function listed(names: readonly string[]): string {
  return enumerate(names.map((name) => `\`${name}\``));
}

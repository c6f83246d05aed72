import type { Deployment } from "../stack/deployment.ts";
import type { Difference } from "./difference.ts";
import type { Drift } from "./find.ts";

/** The output of `npm run drift`: one line without drift, else each resource with its differences. */
export function report(
  stack: string,
  { differences, compared }: Drift,
  deployment: Deployment,
  kinds = "containers, networks, volumes and images",
): string {
  if (differences.length === 0)
    return `no drift: the ${String(compared)} ${kinds} of ${stack} are as deployed`;
  const byResource = Map.groupBy(differences, ({ resource }) => resource);
  const hide = hiding(deployment.secrets);
  const parts = [...byResource].map(([resource, each]) => [resource, ...lines(each, hide)].join("\n"));
  return [`${String(byResource.size)} resources of ${stack} are not as deployed:`, ...parts].join("\n\n");
}

function lines(differences: readonly Difference[], hide: (text: string) => string): string[] {
  const width = Math.max(...differences.map(({ property }) => property.length));
  return differences.map(({ property, expected, actual }) => {
    const indent = `  ${property.padEnd(width)}  `;
    return `${indent}expected ${hide(expected)}\n${" ".repeat(indent.length)}actual   ${hide(actual)}`;
  });
}

function hiding(secrets: ReadonlySet<string>): (text: string) => string {
  // The longest first, because one may contain another.
  const sorted = [...secrets].sort((a, b) => b.length - a.length);
  return (text) => sorted.reduce((shown, secret) => shown.replaceAll(secret, "[secret]"), text);
}

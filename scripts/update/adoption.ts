import { z } from "zod";
import { docker, queryLines } from "../../engine/docker-cli.ts";
import { stackLabel } from "../../engine/labels.ts";
import { containerPattern, namePattern, networkNameOf, project, shortStackName } from "../../engine/names.ts";
import type { Deployed } from "../stack/deployment.ts";
import { pulumi } from "../stack/pulumi-cli.ts";
import type { Settings } from "../stack/settings.ts";
import { attachedProblem, attachedTo } from "./foreign-containers.ts";

/** The steps after which an update can adopt a stack's existing objects. */
interface Adoption {
  /** Containers to remove and recreate, because they hold names or ports that the update needs. */
  readonly containers: readonly string[];
  /** Networks to remove and recreate. */
  readonly networks: readonly string[];
  /** Volumes to keep. */
  readonly volumes: readonly string[];
  /** The model volume of a renamed stack, which keeps its name. */
  readonly renamed?: { readonly urn: string; readonly volume: string };
}

/** Plans the adoption of objects that a stack's state lacks or has under a former name; undefined if there are none. */
export async function planAdoption(
  stack: string,
  resources: readonly Deployed[],
  settings: Settings,
): Promise<Adoption | undefined> {
  const nameOf = ({ inputs }: Deployed) => String(inputs["name"]);
  const of = (type: string) => resources.filter((each) => each.type === `docker:index/${type}`).map(nameOf);
  const models = resources.find(
    ({ type, name }) => type === "docker:index/volume:Volume" && name === "ollama-models",
  );
  const ownVolume = `${project}-${shortStackName(stack)}-ollama-models`;
  if (models !== undefined && nameOf(models) !== ownVolume)
    return {
      containers: await existing(of("container:Container")),
      networks: [],
      volumes: [nameOf(models)],
      renamed: { urn: models.urn, volume: nameOf(models) },
    };
  if (of("container:Container").length > 0) return undefined;
  const label = `label=${stackLabel}=${shortStackName(stack)}`;
  const [containers, networks, volumes] = await Promise.all([
    found("container", [`name=${containerPattern(stack)}`, label]),
    found("network", [`name=${namePattern(networkNameOf(stack, String(settings("networkName"))))}`, label]),
    found("volume", [
      `name=^${project}-${shortStackName(stack)}-(ollama-models|edge-data|gateway-keys|prometheus-data|prometheus-config)$`,
      label,
    ]),
  ]);
  return containers.length === 0 ? undefined : { containers, networks, volumes };
}

/** Names of the objects that match any of the filters. */
async function found(
  kind: "container" | "network" | "volume",
  filters: readonly string[],
): Promise<string[]> {
  const format = kind === "container" ? "{{.Names}}" : "{{.Name}}";
  const all = kind === "container" ? ["--all"] : [];
  const lists = await Promise.all(
    filters.map((filter) => queryLines([kind, "ls", ...all, "--format", format, "--filter", filter])),
  );
  return [...new Set(lists.flat())].sort();
}

/** Those of the containers that exist. */
async function existing(names: readonly string[]): Promise<string[]> {
  const all = new Set(await queryLines(["container", "ls", "--all", "--format", "{{.Names}}"]));
  return names.filter((name) => all.has(name));
}

/** Removes what blocks the next update. It adopts existing volumes by their names. */
export async function adopt(
  stack: string,
  env: NodeJS.ProcessEnv,
  { containers, networks, renamed }: Adoption,
): Promise<void> {
  const attached = await attachedTo(networks, new Set(containers));
  const problem = attachedProblem(attached, undefined);
  if (problem !== undefined) throw new Error(problem);
  if (renamed !== undefined) await keepVolume(stack, env, renamed);
  if (containers.length > 0) await docker(["container", "rm", "--force", ...containers]);
  for (const network of networks) await docker(["network", "rm", network]);
}

const exported = z.looseObject({
  deployment: z.looseObject({ resources: z.array(z.looseObject({ urn: z.string() })) }),
});

/** Makes the update drop the volume from the state instead of deleting it, and use it as an external volume. */
async function keepVolume(
  stack: string,
  env: NodeJS.ProcessEnv,
  { urn, volume }: NonNullable<Adoption["renamed"]>,
): Promise<void> {
  const state = exported.parse(
    JSON.parse(await pulumi(["stack", "export", "--stack", stack], { env, output: "read" })),
  );
  for (const resource of state.deployment.resources)
    if (resource.urn === urn) Object.assign(resource, { retainOnDelete: true, protect: false });
  await pulumi(["stack", "import", "--stack", stack], { env, output: "read", input: JSON.stringify(state) });
  await pulumi(["config", "set", "modelVolume", volume, "--stack", stack], { env, output: "read" });
  // An external volume cannot be protected.
  await pulumi(["config", "set", "protectModels", "false", "--stack", stack], { env, output: "read" });
}

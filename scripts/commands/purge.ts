// npm run purge: removes what is left after the last destroy. Lists it with sizes and asks for confirmation, unless --yes is set.
// With --stack NAME, removes only what that stack left on its configured engine or cluster.
import { Kubectl } from "../../cluster/kubectl.ts";
import { engineHost } from "../../engine/docker-cli.ts";
import { clusterNamespace, stackOfContainer } from "../../engine/names.ts";
import { confirmChange } from "../cli/dialogs.ts";
import { clientVariables, engineName } from "../stack/deployed-engine.ts";
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";
import { inCluster } from "../purge/cluster-leftovers.ts";
import { type Leftover, onEngine } from "../purge/engine-leftovers.ts";
import { folders, stateKind } from "../purge/local-leftovers.ts";
import { assertTakenDown } from "../purge/taken-down.ts";
import { chosenBackend } from "../stack/backend.ts";
import { clusterOf } from "../stack/cluster-outputs.ts";
import { describePlace } from "../stack/same-cluster.ts";
import { settingsFor } from "../stack/settings.ts";
import { engineOf, isOnCluster, stacksOnClusters } from "../stack/stack-file.ts";

await command("purge", async ({ options: { stack, yes } }) => {
  if (stack !== undefined && isOnCluster(stack)) await purgeInCluster(stack, yes);
  else await purgeOnEngine(stack, yes);
});

async function purgeInCluster(stack: string, yes: boolean | undefined): Promise<void> {
  const settings = settingsFor(stack, []);
  const namespace = clusterNamespace(stack, String(settings("namespace")));
  const kubectl = new Kubectl(clusterOf(settings, namespace));
  const { leftovers, staying } = await inCluster(stack, kubectl);
  await assertTakenDown(stack, await backendEnvironment(stack));
  if (staying !== undefined) console.error(staying);
  const folder = String(settings("modelHostPath"));
  if (folder !== "") console.error(`The models in ${folder} on the nodes are kept: remove them there.`);
  await removeAll(leftovers, stack, `in ${await describePlace(kubectl.address)}`, yes);
}

/** The CLI's environment, with the tools installed if needed; undefined for a local state. */
async function backendEnvironment(stack: string | undefined): Promise<NodeJS.ProcessEnv | undefined> {
  if (chosenBackend(process.env) === undefined) return undefined;
  return (await openSession({ stack })).env;
}

async function purgeOnEngine(stack: string | undefined, yes: boolean | undefined): Promise<void> {
  const address = engineOf(stack);
  if (address.dockerHost !== "") Object.assign(process.env, clientVariables(address, process.env));
  const engine = await onEngine(stack);
  if (engine === undefined) {
    const host = engineHost(address);
    const which = host === "" ? "" : ` at ${host}`;
    console.error(`The Docker engine${which} does not respond: its objects are kept and not listed.`);
  }
  const [running] = engine?.running ?? [];
  if (running !== undefined)
    throw new Error(
      `the container ${running} still exists; destroy its stack first: npm run destroy -- --stack ${stack ?? stackOfContainer(running) ?? "NAME"}`,
    );
  const leftovers = [...(engine?.leftovers ?? []), ...(stack === undefined ? await folders() : [])];
  // Reading another backend may install tools, so it is not done for the cache alone, which every npm run creates again.
  const readsBackend = stack === undefined ? leftovers.some(isData) : leftovers.length > 0;
  if (leftovers.length > 0)
    await assertTakenDown(stack, readsBackend ? await backendEnvironment(stack) : undefined);
  if (stack === undefined)
    for (const each of stacksOnClusters(console.error))
      console.error(
        `Remains of the stack ${each} in its cluster are not listed; list them with: npm run purge -- --stack ${each}`,
      );
  await removeAll(leftovers, stack, `on ${engineName(address)}`, yes);
}

/** Whether a stack that is still up could lose it; tools, images and the cache can be downloaded or built again. */
function isData({ kind }: Leftover): boolean {
  return kind === "volume" || kind === stateKind;
}

async function removeAll(
  leftovers: readonly Leftover[],
  stack: string | undefined,
  place: string,
  yes: boolean | undefined,
): Promise<void> {
  if (leftovers.length === 0) {
    console.log("Nothing to remove.");
    return;
  }
  console.log(table(leftovers));
  const all = `all this, ${stack === undefined ? "of every stack" : `of the stack ${stack}`} ${place}`;
  const isConfirmed = await confirmChange(yes, {
    change: "removing",
    command: `npm run purge --${stack === undefined ? "" : ` --stack ${stack}`}`,
    question: `Remove ${all}?`,
  });
  if (!isConfirmed) return;
  console.error(`Removing ${all}.`);
  for (const { remove } of leftovers) await remove();
  console.log(`Removed: ${String(leftovers.length)}`);
}

function table(leftovers: readonly Leftover[]): string {
  const width = (column: "kind" | "size") => Math.max(...leftovers.map((each) => each[column].length));
  const [kinds, sizes] = [width("kind"), width("size")];
  return leftovers
    .map(({ kind, name, size }) => `${kind.padEnd(kinds)}  ${size.padStart(sizes)}  ${name}`)
    .join("\n");
}

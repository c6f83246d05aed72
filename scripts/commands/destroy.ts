// npm run destroy: destroys the stack, after a confirmation that names the stack and its engine.
import { Kubectl } from "../../cluster/kubectl.ts";
import { confirm, confirmChange, isInteractive } from "../cli/dialogs.ts";
import { inCluster } from "../purge/cluster-leftovers.ts";
import { clientVariables, deployedEngine, engineName } from "../stack/deployed-engine.ts";
import { type Deployment, readDeployment } from "../stack/deployment.ts";
import {
  assertSameCluster,
  deployedNamespace,
  describePlace,
  isDeployedInCluster,
} from "../stack/same-cluster.ts";
import { command, type CommandLine } from "../cli/command.ts";
import { recoverInterrupted } from "../update/recovery.ts";
import { openSession, type Session } from "../cli/session.ts";
import { lockedUpdate } from "../update/locked-update.ts";
import { withoutProtection } from "../update/unprotected.ts";
import { rejectDockerOptions } from "../stack/docker-options.ts";
import { assertModelsKept } from "../stack/kept-models.ts";
import { engineOf } from "../stack/stack-file.ts";
import { attachedProblem, attachedToLeaving, disconnectAll } from "../update/foreign-containers.ts";
import { removeVolume, volumeSizes, volumesOf } from "../stack/volumes.ts";

const namespaceType = "kubernetes:core/v1:Namespace";

await command("destroy", async (line) => {
  const { options, passed } = line;
  const { yes, models } = options;
  const session = await openSession(options);
  const { stack, env } = session;
  const found = await readDeployment(stack, env);
  if (isDeployedInCluster(found)) {
    rejectDockerOptions(stack, options);
    await destroyInCluster(session, found, line);
    return;
  }
  // From here on, Docker's client uses the engine on which the stack is deployed, like the CLI, even if the config changed.
  const engine = deployedEngine(found.resources);
  if (engine !== undefined) Object.assign(process.env, clientVariables(engine, env));
  const place = engineName(engine ?? engineOf(stack));
  const attached = await attachedToLeaving(stack, found.resources, () => true);
  const again = `npm run destroy -- --stack ${stack}`;
  const problem = attachedProblem(attached, `${again} --disconnect`);
  if (problem !== undefined && options.disconnect !== true) throw new Error(problem);
  if (models === "keep") assertModelsKept(stack, found.resources);
  const count = found.resources.filter(({ type }) => type.startsWith("docker:")).length;
  const isConfirmed = await confirmChange(yes, {
    change: `destroying the stack ${stack} on ${place}`,
    command: again,
    question: `Destroy the stack ${stack} on ${place}, with ${String(count)} containers, networks, volumes and images?`,
  });
  if (!isConfirmed) return;
  console.error(`Destroying the stack ${stack} on ${place}.`);
  const { resources } = await recoverInterrupted(stack, env, found);
  const kept = volumesOf(resources).filter(({ protect, retain }) => protect || retain);
  const guarded = kept.filter(({ protect }) => protect);
  const sizes = kept.length > 0 ? await volumeSizes() : new Map<string, string>();
  const list = kept.map(({ volume }) => `${volume} (${sizes.get(volume) ?? "gone"})`).join(", ");

  let remove = models === "delete";
  if (guarded.length > 0 && models === undefined) {
    if (!isInteractive())
      throw new Error(
        `the stack ${stack} protects its models in the volume ${list}: choose ${again} --yes --models keep, or ${again} --yes --models delete`,
      );
    remove = await confirm(`The models are in the volume ${list}. Delete it too?`);
  }
  // After a recovery, and if they are protected without being retained.
  if (!remove && (models === "keep" || guarded.length > 0)) assertModelsKept(stack, resources);
  await disconnectAll(attached);
  // Kept volumes are removed from the state only; an update adopts an existing volume by its name.
  await withoutProtection(guarded, { stack, env }, () =>
    lockedUpdate(["destroy", "--yes", ...passed], stack, env),
  );
  if (remove) for (const { volume } of kept) await removeVolume(volume);
  if (kept.length > 0)
    console.log(
      remove
        ? `Deleted: the volume ${list}`
        : `Kept: the volume ${list}. Delete it with: docker volume rm NAME${engine?.dockerHost ? `, on ${engineName(engine)}` : ""}`,
    );
});

async function destroyInCluster(
  { stack, env }: Session,
  found: Deployment,
  { options: { yes }, passed }: CommandLine<"destroy">,
): Promise<void> {
  await assertSameCluster(stack, found);
  const address = deployedNamespace(found);
  const place = await describePlace(address);
  // The namespace is retained if it contains volumes to keep.
  const isKept = found.resources.some(({ type, retain }) => type === namespaceType && retain);
  const contents = address === undefined ? "?" : ", with everything in this namespace?";
  const rest = isKept ? "? This namespace stays, with its volumes." : contents;
  const isConfirmed = await confirmChange(yes, {
    change: `destroying the stack ${stack} in ${place}`,
    command: `npm run destroy -- --stack ${stack}`,
    question: `Destroy the stack ${stack} in ${place}${rest}`,
  });
  if (!isConfirmed) return;
  console.error(`Destroying the stack ${stack} in ${place}.`);
  await recoverInterrupted(stack, env, found);
  await lockedUpdate(["destroy", "--yes", "--skip-preview", ...passed], stack, env);
  if (!isKept || address === undefined) return;
  const { leftovers, staying } = await inCluster(stack, new Kubectl(address), true);
  if (staying !== undefined) console.log(staying);
  const list = leftovers.map(({ kind, name, size }) => `${kind} ${name}${size === "-" ? "" : ` (${size})`}`);
  if (list.length > 0)
    console.log(`Kept: ${list.join(", ")}. Remove it with: npm run purge -- --stack ${stack}`);
}

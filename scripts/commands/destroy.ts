// npm run destroy: takes the stack down. Asks first; `-- --yes` does not. What becomes of models that the stack keeps is
// asked too, or said with --models keep|delete.
import { isInteractive, confirm } from "../cli/dialogs.ts";
import { clientVariables, deployedEngine, engineName } from "../stack/deployed-engine.ts";
import { readDeployment } from "../stack/deployment.ts";
import { main } from "../cli/main.ts";
import { pulumi } from "../stack/pulumi-cli.ts";
import { recoverInterrupted } from "../update/recovery.ts";
import { openSession, takeOptions } from "../cli/session.ts";
import { lockedUpdate } from "../update/locked-update.ts";
import { removeVolume, volumeSizes, volumesOf } from "../stack/volumes.ts";

await main(async () => {
  const { options, rest: args } = takeOptions(process.argv.slice(2), ["models"]);
  const told = options["models"];
  if (told !== undefined && told !== "keep" && told !== "delete")
    throw new Error(`--models is ${told}, but must be keep or delete`);
  const { stack, stackOption, env, rest } = await openSession(args, { config: true });
  const found = await readDeployment(stack, env);
  // As the CLI does, Docker's client goes from here on to the engine where the stack is, whatever the config names by now.
  const engine = deployedEngine(found.resources);
  if (engine !== undefined) Object.assign(process.env, clientVariables(engine, env));
  const { resources } = await recoverInterrupted(stack, env, found);
  const kept = volumesOf(resources).filter(({ protect, retain }) => protect || retain);
  const guarded = kept.filter(({ protect }) => protect);
  const sizes = kept.length > 0 ? await volumeSizes() : new Map<string, string>();
  const list = kept.map(({ volume }) => `${volume} (${sizes.get(volume) ?? "gone"})`).join(", ");

  let remove = told === "delete";
  if (guarded.length > 0 && told === undefined) {
    if (!isInteractive()) {
      const how = `npm run destroy -- ${stackOption.replace(" -- ", "")} --yes --models`;
      throw new Error(
        `the stack ${stack} protects its models, in the volume ${list}: say what becomes of them with ${how} keep, or ${how} delete`,
      );
    }
    remove = await confirm(`The models are in the volume ${list}. Delete it too?`);
  }
  // What is kept is forgotten, not deleted: an update that finds a volume of the name takes it over.
  const state = async (verb: "protect" | "unprotect") => {
    for (const { urn } of guarded)
      await pulumi(["state", verb, "--yes", urn, "--stack", stack], { env, output: "read" });
  };
  await state("unprotect");
  try {
    await lockedUpdate(["destroy", ...rest], stack, env);
  } catch (error) {
    await state("protect");
    throw error;
  }
  if (remove) for (const { volume } of kept) await removeVolume(volume);
  if (kept.length > 0)
    console.log(
      remove
        ? `Deleted: the volume ${list}`
        : `Kept: the volume ${list}. It goes with: docker volume rm NAME${engine?.dockerHost ? `, on ${engineName(engine)}` : ""}`,
    );
});

// npm run preview -- --stack NAME: describes the next update's changes as Markdown.
import { ClusterError } from "../../cluster/kubectl.ts";
import { command } from "../cli/command.ts";
import { imageDownloads } from "../preview/image-downloads.ts";
import { brokenRulesIn, describeRefusal, errorsIn } from "../preview/refusal.ts";
import { readPreview } from "../preview/steps.ts";
import { describePreview, heading } from "../preview/markdown.ts";
import { pulumi, PulumiFailed } from "../stack/pulumi-cli.ts";
import { attachedProblem, attachedToLeaving, isLeaving } from "../update/foreign-containers.ts";
import { openStackToLook } from "../update/recovery.ts";
import { openSession } from "../cli/session.ts";
import { isOnCluster } from "../stack/stack-file.ts";
import { rulesFor, settingsFor } from "../stack/settings.ts";

await command("preview", async ({ options, passed }) => {
  const { stack, env } = await openSession(options);
  const settings = settingsFor(stack, passed);
  const refuse = (reason: string): void => {
    console.log(`${heading(stack)}\n\n${describeRefusal([reason])}`);
    process.exitCode = 1;
  };
  let resources;
  try {
    ({ resources } = await openStackToLook(stack, env, passed));
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    refuse(error.message);
    return;
  }
  const attached = isOnCluster(stack)
    ? []
    : await attachedToLeaving(stack, resources, (each) => isLeaving(each, stack, settings));
  const problem = attachedProblem(attached, `npm run up -- --stack ${stack} --disconnect`);
  if (problem !== undefined) {
    refuse(problem);
    return;
  }
  const preview = (...args: string[]) =>
    pulumi(["preview", ...args, "--stack", stack, ...passed], { env, output: "read" });
  await orRefusal(`${heading(stack)}\n\n`, errorsIn, async () => {
    const found = readPreview(await preview("--json"));
    console.log(describePreview(found, stack, await imageDownloads(found.steps)));
  });
  // A separate run, because the CLI's JSON does not contain policy violations.
  const rules = rulesFor(settings);
  if (process.exitCode === undefined && rules.length > 0)
    await orRefusal("\n", brokenRulesIn, () => preview(...rules));
});

/** Explains why a preview was rejected, if its output contains the reason; else fails like any CLI command. */
async function orRefusal(
  before: string,
  reasonsIn: (output: string) => string[],
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const reasons = error instanceof PulumiFailed ? reasonsIn(error.stdout) : [];
    if (reasons.length === 0) throw error;
    console.log(before + describeRefusal(reasons));
    process.exitCode = 1;
  }
}

// npm run clients: prints, for a running stack, the lines that connect the usual clients to it.
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";
import { endpointOf, withContextLength } from "../connect/client-endpoint.ts";
import { launches } from "../connect/client-launches.ts";
import { KEY_VARIABLE, recipes } from "../connect/client-recipes.ts";
import { forwardedUrl } from "../connect/cluster-gateway.ts";
import { openCluster } from "../stack/cluster-outputs.ts";
import { readOutputs } from "../stack/outputs.ts";
import { settingsFor } from "../stack/settings.ts";
import { isOnCluster } from "../stack/stack-file.ts";

await command("clients", async ({ options }) => {
  const { stack, stackOption, env } = await openSession(options);
  const outputs = isOnCluster(stack)
    ? await clusterOutputs(stack, env)
    : { ...(await readOutputs(stack, env)), isForwarded: false };
  const endpoint = await withContextLength(endpointOf(outputs), process.env[KEY_VARIABLE]);
  if (outputs.isForwarded)
    console.log(
      `The gateway is in the cluster. While this runs, it is at the address below: npm run forward${stackOption}\n`,
    );
  const sections = recipes.map(
    ({ title, place, lines }) => `# ${title} (${place})\n${lines(endpoint).join("\n")}`,
  );
  console.log(sections.join("\n\n"));
  if (endpoint.needsKey)
    console.log(`\nThe gateway needs a key: have it in ${KEY_VARIABLE}. npm run keys -- add NAME makes one.`);
  const prefix = stackOption === "" ? " --" : stackOption;
  console.log(
    `\nOr start one with all of this set: npm run client${prefix} ${Object.keys(launches).join("|")}`,
  );
});

/** With the address that clients outside the cluster use. */
async function clusterOutputs(stack: string, env: NodeJS.ProcessEnv) {
  const { outputs } = await openCluster(stack, env, settingsFor(stack, []));
  const { publicUrl } = outputs;
  return {
    ...outputs,
    gatewayUrl: publicUrl ?? forwardedUrl(outputs),
    isForwarded: publicUrl === undefined,
  };
}

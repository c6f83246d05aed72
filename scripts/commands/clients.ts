// npm run clients: prints settings that connect common clients to a running stack.
import { command } from "../cli/command.ts";
import { openSession, type Session } from "../cli/session.ts";
import { commandWith } from "../cli/stack-option.ts";
import { endpointOf, withContextLength } from "../connect/client-endpoint.ts";
import { launches } from "../connect/client-launches.ts";
import { type Endpoint, KEY_VARIABLE, recipes } from "../connect/client-recipes.ts";
import { tryWithClusterGateway } from "../connect/cluster-gateway.ts";
import { dockerEndpoint } from "../connect/docker-endpoint.ts";
import { forwardedUrl, openCluster } from "../stack/cluster-outputs.ts";
import { readOutputs } from "../stack/outputs.ts";
import { isOnCluster } from "../stack/stack-file.ts";

await command("clients", async ({ options }) => {
  const session = await openSession(options);
  const key = process.env[KEY_VARIABLE];
  const endpoint = isOnCluster(session.stack)
    ? await clusterEndpoint(session, key)
    : await publishedEndpoint(session, key);
  const sections = recipes.map(
    ({ title, place, lines }) => `# ${title} (${place})\n${lines(endpoint).join("\n")}`,
  );
  console.log(sections.join("\n\n"));
  if (endpoint.needsKey)
    console.log(
      `\nThe gateway requires a key: set ${KEY_VARIABLE}. Create one with: npm run keys -- add NAME`,
    );
  console.log(
    `\nOr start one with these settings: ${commandWith("client", session.stackOption)} ${Object.keys(launches).join("|")}`,
  );
});

/** The gateway's address on the engine's machine, which is also that of the forwarded port. */
async function publishedEndpoint(
  { stack, stackOption, env }: Session,
  key: string | undefined,
): Promise<Endpoint> {
  const outputs = await readOutputs(stack, env);
  if (outputs.tunnel?.gateway !== undefined)
    console.log(
      `The stack is on another machine. To reach it at the address below, keep this running: npm run forward${stackOption}\n`,
    );
  return await dockerEndpoint(outputs, key);
}

/** The gateway's address for clients outside the cluster. */
async function clusterEndpoint(
  { stack, stackOption, env }: Session,
  key: string | undefined,
): Promise<Endpoint> {
  const { outputs, kubectl } = await openCluster(stack, env);
  const describeEndpoint = (gatewayUrl: string) =>
    withContextLength(endpointOf({ ...outputs, gatewayUrl }), key);
  if (outputs.publicUrl !== undefined) return await describeEndpoint(outputs.publicUrl);
  const url = forwardedUrl(outputs);
  const endpoint = endpointOf({ ...outputs, gatewayUrl: url });
  console.log(
    `The gateway is in the cluster. To reach it at the address below, keep this running: npm run forward${stackOption}\n`,
  );
  // It is unknown what listens at that address now.
  return { ...endpoint, ...(await tryWithClusterGateway(kubectl, describeEndpoint)), url };
}

// npm run client -- NAME: starts a coding agent that uses a running stack. Arguments after another -- are passed to the
// agent.
import { command } from "../cli/command.ts";
import { UsageError } from "../cli/command-line.mjs";
import { openSession } from "../cli/session.ts";
import { endpointOf, withContextLength } from "../connect/client-endpoint.ts";
import { type Launcher, launches } from "../connect/client-launches.ts";
import { type Endpoint, KEY_VARIABLE } from "../connect/client-recipes.ts";
import { withClusterGateway } from "../connect/cluster-gateway.ts";
import { withDockerEndpoint } from "../connect/docker-endpoint.ts";
import { runAgent } from "../connect/run-agent.ts";
import { openCluster } from "../stack/cluster-outputs.ts";
import { readOutputs } from "../stack/outputs.ts";
import { isOnCluster } from "../stack/stack-file.ts";

await command("client", async ({ options, operands, passed }) => {
  const [name = "", ...more] = operands;
  const launch = Object.hasOwn(launches, name) ? launches[name] : undefined;
  if (launch === undefined || more.length > 0)
    throw new UsageError(
      `npm run client needs one of ${Object.keys(launches).join(", ")}${name === "" ? "" : `, but got ${operands.join(" ")}`}. See npm run client -- --help`,
    );
  const { stack, env } = await openSession(options);
  if (!isOnCluster(stack)) {
    await withDockerEndpoint(await readOutputs(stack, env), (endpoint) => start(launch, endpoint, passed));
    return;
  }
  const { outputs, kubectl } = await openCluster(stack, env);
  const startAt = (gatewayUrl: string) => start(launch, endpointOf({ ...outputs, gatewayUrl }), passed);
  if (outputs.publicUrl === undefined) await withClusterGateway(kubectl, startAt);
  else await startAt(outputs.publicUrl);
});

/** Runs the agent until it exits. */
async function start(launch: Launcher, endpoint: Endpoint, passed: readonly string[]): Promise<void> {
  const key = process.env[KEY_VARIABLE];
  if (endpoint.needsKey && key === undefined)
    throw new Error(
      `The gateway requires a key: set ${KEY_VARIABLE}. Create one with: npm run keys -- add NAME`,
    );
  process.exitCode = await runAgent(launch(await withContextLength(endpoint, key), key), passed);
}

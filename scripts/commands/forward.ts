// npm run forward: forwards a stack's unpublished or remote ports to the same ports on this machine's loopback address, until
// it is interrupted.
import { Tunnel } from "../../engine/tunnel/tunnel.ts";
import { forwardGateway, interrupted } from "../connect/cluster-gateway.ts";
import { forwarded } from "../connect/port-forwards.ts";
import { command } from "../cli/command.ts";
import { forwardedUrl, openCluster } from "../stack/cluster-outputs.ts";
import { readOutputs } from "../stack/outputs.ts";
import { isOnCluster } from "../stack/stack-file.ts";
import { refusedPort } from "../connect/listen-error.ts";
import { openSession } from "../cli/session.ts";

await command("forward", async ({ options }) => {
  const { stack, env } = await openSession(options);
  if (isOnCluster(stack)) {
    await forwardFromCluster(stack, env);
    return;
  }
  const outputs = await readOutputs(stack, env);
  const { tunnel: end, gatewayUrl } = outputs;
  if (end === undefined)
    throw new Error(
      `The engine of the stack ${stack} is on this machine: ${gatewayUrl} works without forwarding`,
    );
  const tunnel = await Tunnel.open(end);
  try {
    for (const service of forwarded(outputs, end)) {
      await tunnel.listen(service.target, service.port).catch((error: unknown) => {
        throw refusedPort(error, service, { stack, edge: outputs.edge });
      });
      console.log(`${service.name}: ${service.url}`);
    }
    console.log("until you press Ctrl-C");
    await interrupted();
  } finally {
    await tunnel.close();
  }
});

/** Forwards the gateway's port in the cluster, to the next pod when one is replaced. */
async function forwardFromCluster(stack: string, env: NodeJS.ProcessEnv): Promise<void> {
  const { outputs, kubectl } = await openCluster(stack, env);
  await forwardGateway(kubectl, outputs, interrupted(), () => {
    console.log(`gateway: ${forwardedUrl(outputs)}\nuntil you press Ctrl-C`);
  });
}

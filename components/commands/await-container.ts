// Run by Pulumi after it created a container: returns when the container is ready. The provider's own `wait` works only at
// create, does not notice an exit, and is not retried by the next update.
import { queryTimeoutMs } from "../../engine/docker-cli.ts";
import { control } from "./lib/gateway-control.ts";
import { optionalVariable, requiredVariable } from "./lib/env.ts";
import { withTunnel } from "../../engine/with-tunnel.ts";
import { probeCommand, probeUrl, setExitCode, waitUntilReady } from "./lib/readiness.ts";

const container = requiredVariable("CONTAINER_NAME");
const url = optionalVariable("READY_URL");
const inside = optionalVariable("READY_COMMAND");
const waitOptions = {
  container,
  timeoutSeconds: Number(requiredVariable("READY_TIMEOUT_SECONDS")),
  pids: requiredVariable("PIDS_LIMIT"),
};

await setExitCode(async () => {
  if (url !== undefined)
    await withTunnel(url, (reached) => waitUntilReady(waitOptions, () => probeUrl(reached, url)));
  else if (inside !== undefined) {
    const command = JSON.parse(inside) as string[];
    await waitUntilReady(waitOptions, () => probeCommand(container, command));
  } else throw new Error("neither READY_URL nor READY_COMMAND is set");
  // Gateways resume sending requests to an Ollama server that was drained before it was replaced.
  const server = optionalVariable("DRAIN_SERVER");
  if (server !== undefined) {
    const gateways = requiredVariable("DRAIN_GATEWAYS").split(",");
    await Promise.all(gateways.map((gateway) => control(gateway, ["return", server], queryTimeoutMs)));
  } else if (optionalVariable("DRAIN_EDGE") !== undefined) {
    // A drain of it may have been interrupted, and that by an earlier version began only after it was created in the place
    // of a container removed by hand.
    await control(container, ["return"], queryTimeoutMs);
  }
});

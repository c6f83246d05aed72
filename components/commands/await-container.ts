// Run by Pulumi after a container was made: returns when it is ready. The provider's own `wait` looks only at create,
// does not notice an exit, and is not tried again by the next update.
import { queryTimeoutMs } from "../../engine/docker-cli.ts";
import { control } from "./lib/gateway-control.ts";
import { optional, required } from "./lib/env.ts";
import { withTunnel } from "../../engine/with-tunnel.ts";
import { askInside, askUrl, exitCodeOf, waitUntilReady } from "./lib/readiness.ts";

const container = required("CONTAINER_NAME");
const url = optional("READY_URL");
const inside = optional("READY_COMMAND");
const waiting = {
  container,
  timeoutSeconds: Number(required("READY_TIMEOUT_SECONDS")),
  pids: required("PIDS_LIMIT"),
};

await exitCodeOf(async () => {
  if (url !== undefined)
    await withTunnel(url, (reached) => waitUntilReady(waiting, () => askUrl(reached, url)));
  else if (inside !== undefined) {
    const command = JSON.parse(inside) as string[];
    await waitUntilReady(waiting, () => askInside(container, command));
  } else throw new Error("neither READY_URL nor READY_COMMAND is set");
  // An Ollama server that was drained before it was replaced is used again.
  const server = optional("DRAIN_SERVER");
  if (server === undefined) return;
  const gateways = required("DRAIN_GATEWAYS").split(",");
  await Promise.all(gateways.map((gateway) => control(gateway, ["return", server], queryTimeoutMs)));
});

// Run by Pulumi before it replaces or deletes a replica's container: stops new requests to it and waits for requests in
// flight. It never fails, because a replica that cannot be drained after a crash must still be replaced.
import { containerState, EngineError } from "../../engine/docker-cli.ts";
import { control } from "./lib/gateway-control.ts";
import { optionalVariable, requiredVariable } from "./lib/env.ts";

const container = requiredVariable("CONTAINER_NAME");
const seconds = requiredVariable("DRAIN_TIMEOUT_SECONDS");
const server = optionalVariable("DRAIN_SERVER");
// Unset in states of earlier versions.
const id = optionalVariable("CONTAINER_ID");
// Before and after the requests in flight, a gateway waits for its edge or for another server, at most 30 s each time.
const withinMs = (Number(seconds) + 60) * 1000;

/**
 * Whether the container is the one to drain. If that was removed by hand, Pulumi creates another one under its name before it
 * deletes this command's resource.
 */
async function isStillThere(): Promise<boolean> {
  if (id === undefined || (await containerState(container))?.id === id) return true;
  console.error(`${container} is not drained, because the container to replace no longer exists`);
  return false;
}

try {
  // With one gateway and no edge, DRAIN_EDGE is the gateway itself.
  const isServed =
    (await containerState(requiredVariable("DRAIN_EDGE")))?.status === "running" && (await isStillThere());
  if (isServed && server === undefined) await control(container, ["drain", seconds], withinMs);
  if (isServed && server !== undefined) {
    const gateways = requiredVariable("DRAIN_GATEWAYS").split(",");
    await Promise.all(gateways.map((gateway) => control(gateway, ["drain", server, seconds], withinMs)));
  }
} catch (error) {
  if (!(error instanceof EngineError)) throw error;
  console.error(`${container} could not be drained: ${error.message}`);
}

// Run by Pulumi before a replica's container is replaced or deleted: nothing new is sent to it, and what is under way is
// waited for. It never fails: a replica that cannot be drained, because it crashed, has to be replaced all the same.
import { containerState, EngineError } from "../../engine/docker-cli.ts";
import { control } from "./lib/gateway-control.ts";
import { optional, required } from "./lib/env.ts";

const container = required("CONTAINER_NAME");
const seconds = required("DRAIN_TIMEOUT_SECONDS");
const server = optional("DRAIN_SERVER");
// Before and after what is under way, a gateway waits for its edge or for another server: 30 s at most.
const withinMs = (Number(seconds) + 60) * 1000;

try {
  // With one gateway and no edge, DRAIN_EDGE is the gateway itself.
  const isServed = (await containerState(required("DRAIN_EDGE")))?.status === "running";
  if (isServed && server === undefined) await control(container, ["drain", seconds], withinMs);
  if (isServed && server !== undefined) {
    const gateways = required("DRAIN_GATEWAYS").split(",");
    await Promise.all(gateways.map((gateway) => control(gateway, ["drain", server, seconds], withinMs)));
  }
} catch (error) {
  if (!(error instanceof EngineError)) throw error;
  console.error(`${container} is not drained: ${error.message}`);
}

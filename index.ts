import { reportConfigErrors } from "./components/config/config-error.ts";
import { readConfig } from "./components/config/config.ts";

// The SDK takes a stack trace for each resource and promise, and Pulumi's runner looks up a source map for each frame, which
// costs 7 % of a preview's CPU time. Node.js preserves TypeScript positions, so source maps are not needed.
Reflect.deleteProperty(Error, "prepareStackTrace");

const config = await reportConfigErrors(readConfig);
// Loads only the resources of the stack's own engine.
const { deployStack } =
  config.engine === "docker"
    ? await import("./components/resources/docker/stack.ts")
    : await import("./components/resources/kubernetes/deploy.ts");

export default await deployStack(config, import.meta.dirname);

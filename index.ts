import { reportConfigErrors } from "./components/config/config-error.ts";
import { readConfig } from "./components/config/config.ts";

// The SDK takes a stack trace for each resource and promise, and Pulumi's runner looks for a source map behind each frame:
// 7 % of the processor time of a preview. Node.js keeps the positions of TypeScript, so that frames need none.
Reflect.deleteProperty(Error, "prepareStackTrace");

const config = reportConfigErrors(readConfig);
// A stack loads what its own engine takes, and nothing of the other one's.
const { deployStack } =
  config.engine === "docker"
    ? await import("./components/resources/docker/stack.ts")
    : await import("./components/resources/kubernetes/deploy.ts");

export default await deployStack(config, import.meta.dirname);

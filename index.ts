import { refuse } from "./components/config/config-error.ts";
import { readConfig } from "./components/config/config.ts";

const config = refuse(readConfig);
// A stack loads what its own engine takes, and nothing of the other one's.
const { deployStack } =
  config.engine === "docker"
    ? await import("./components/resources/docker/stack.ts")
    : await import("./components/resources/kubernetes/deploy.ts");

export default await deployStack(config, import.meta.dirname);

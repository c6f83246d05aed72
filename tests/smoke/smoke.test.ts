import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { type ClusterStack, describeClusterSmoke } from "./cluster-suite.ts";
import { describeSmoke } from "./suite.ts";

// npm run smoke finds the stack and passes its outputs.
const onEngine = process.env["SMOKE_STACK"];
const inCluster = process.env["SMOKE_CLUSTER_STACK"];
if (inCluster !== undefined) describeClusterSmoke(() => JSON.parse(inCluster) as ClusterStack);
else if (onEngine !== undefined) describeSmoke(() => JSON.parse(onEngine) as StackOutputs);
else throw new Error("run the smoke tests with: npm run smoke -- --stack NAME");

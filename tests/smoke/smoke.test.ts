import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { describeSmoke } from "./suite.ts";

// npm run smoke finds the stack and hands its outputs over.
const outputs = process.env["SMOKE_STACK"];
if (outputs === undefined) throw new Error("run the smoke tests with: npm run smoke -- --stack NAME");
describeSmoke(() => JSON.parse(outputs) as StackOutputs);

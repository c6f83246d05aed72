import { parseArgs } from "node:util";
import { say } from "../../host/progress.ts";
import { main } from "../cli/main.ts";
import { setup } from "../setup/setup.ts";

await main(async () => {
  const { values } = parseArgs({ options: { world: { type: "string" }, stack: { type: "string" } } });
  const { pulumi } = await setup({ world: values.world, stack: values.stack });
  say(`ready: ${pulumi}`);
});

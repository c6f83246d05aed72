// npm run setup: installs what the other commands need.
import { printLine } from "../../host/progress.ts";
import { command } from "../cli/command.ts";
import { setup } from "../setup/setup.ts";

await command("setup", async ({ options }) => {
  const { pulumi } = await setup({ ...options, tools: options.tools ?? options.world });
  printLine(`ready: ${pulumi}`);
});

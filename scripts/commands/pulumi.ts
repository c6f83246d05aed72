// npm run pulumi -- ARGS: runs the CLI with this project's tools, state and passphrase.
import { command } from "../cli/command.ts";
import { pulumi } from "../stack/pulumi-cli.ts";
import { openSession } from "../cli/session.ts";

await command("pulumi", async ({ options, passed }) => {
  const { stack, env } = await openSession(options);
  await pulumi(passed, { env: { ...env, PULUMI_STACK: stack }, output: "show" });
});

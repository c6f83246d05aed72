// npm run pulumi -- ARGS: the CLI with this project's tools, state and passphrase.
import { main } from "../cli/main.ts";
import { pulumi } from "../stack/pulumi-cli.ts";
import { openSession } from "../cli/session.ts";

await main(async () => {
  const { stack, env, rest } = await openSession(process.argv.slice(2), { config: true });
  await pulumi(rest, { env: { ...env, PULUMI_STACK: stack }, output: "show" });
});

// npm run pulumi -- ARGS: the CLI with this project's tools, state and passphrase.
import { main } from "./main.ts";
import { pulumi } from "./pulumi-cli.ts";
import { openSession } from "./session.ts";

await main(async () => {
  const { stack, env, rest } = await openSession(process.argv.slice(2), { config: true });
  await pulumi(rest, { env: { ...env, PULUMI_STACK: stack }, output: "show" });
});

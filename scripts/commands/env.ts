// npm run -s env: prints variables with which `pulumi` in a shell uses the same tools, state and passphrase.
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";

await command("env", async ({ options }) => {
  const { added, stack } = await openSession(options);
  for (const [name, value] of Object.entries({ ...added, PULUMI_STACK: stack })) {
    console.log(`export ${name}='${value.replaceAll("'", `'\\''`)}'`);
  }
});

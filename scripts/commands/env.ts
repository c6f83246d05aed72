// npm run -s env: what a shell needs so that `pulumi` called directly finds the same tools, state and passphrase.
import { main } from "../cli/main.ts";
import { openSession } from "../cli/session.ts";

await main(async () => {
  const { added, stack } = await openSession(process.argv.slice(2));
  for (const [name, value] of Object.entries({ ...added, PULUMI_STACK: stack })) {
    console.log(`export ${name}='${value.replaceAll("'", `'\\''`)}'`);
  }
});

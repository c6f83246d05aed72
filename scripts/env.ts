// npm run -s env: what a shell needs so that `pulumi` called directly finds the same tools, state and passphrase.
import { openSession } from "./session.ts";

const { added, stack } = await openSession(process.argv.slice(2));
for (const [name, value] of Object.entries(added)) {
  console.log(`export ${name}='${value.replaceAll("'", `'\\''`)}'`);
}
console.log(`export PULUMI_STACK='${stack}'`);

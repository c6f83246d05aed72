// npm run destroy: takes the stack down. Asks first; `-- --yes` does not.
import { main } from "./main.ts";
import { recoverInterrupted } from "./recovery.ts";
import { openSession } from "./session.ts";
import { lockedUpdate } from "./update.ts";

await main(async () => {
  const { stack, env, rest } = await openSession(process.argv.slice(2));
  await recoverInterrupted(stack, env);
  await lockedUpdate(["destroy", ...rest], stack, env);
});

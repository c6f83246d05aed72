// npm run preview -- --stack NAME: what the next update would do, in words (as Markdown); arguments go to the CLI.
import { main } from "./main.ts";
import { describePreview } from "./preview/words.ts";
import { pulumi } from "./pulumi-cli.ts";
import { ensureStack } from "./recovery.ts";
import { openSession } from "./session.ts";

await main(async () => {
  const { stack, env, rest } = await openSession(process.argv.slice(2));
  await ensureStack(stack, env);
  const json = await pulumi(["preview", "--json", "--stack", stack, ...rest], { env, output: "read" });
  console.log(describePreview(json, stack));
});

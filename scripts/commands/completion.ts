// npm run completion: prints what has Bash complete these commands and their options.
import { bashCompletion } from "../cli/bash-completion.ts";
import { command } from "../cli/command.ts";

await command("completion", () => {
  console.log(bashCompletion());
  return Promise.resolve();
});

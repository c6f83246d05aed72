// npm run completion: prints a Bash completion script.
import { bashCompletion } from "../cli/bash-completion.ts";
import { command } from "../cli/command.ts";

await command("completion", () => {
  console.log(bashCompletion());
  return Promise.resolve();
});

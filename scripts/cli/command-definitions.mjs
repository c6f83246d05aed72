// @ts-check
// Every npm command with its options: nothing else defines any. Plain JavaScript, as what it imports, because run.mjs
// prints the help and rejects unknown options on whatever Node.js the machine has, before it installs anything.
import { projectCommands } from "./project-commands.mjs";
import { stackCommands } from "./stack-commands.mjs";

/** In the order of the help. */
export const commands = { ...stackCommands, ...projectCommands };

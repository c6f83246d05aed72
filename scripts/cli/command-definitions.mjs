// @ts-check
// All npm commands with their options. Plain JavaScript, like its imports, because run.mjs prints the help and rejects
// unknown options with the machine's own Node.js, before it installs anything.
import { projectCommands } from "./project-commands.mjs";
import { stackCommands } from "./stack-commands.mjs";

/** In the order of the help. */
export const commands = { ...stackCommands, ...projectCommands };

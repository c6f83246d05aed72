// Plain JavaScript: scripts/run.mjs needs it on whatever Node.js the machine has.
import { homedir } from "node:os";
import { join } from "node:path";

export function cacheRoot() {
  const base = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return process.env["OLLAMA_STACK_CACHE"] || join(base, "ollama-stack");
}

/** Folder of Node.js' compile cache (NODE_COMPILE_CACHE), which halves the program's load time. */
export function compileCache() {
  return process.env["NODE_COMPILE_CACHE"] || join(cacheRoot(), "compiled");
}

// Plain JavaScript: scripts/run.mjs needs it on whatever Node.js the machine has.
import { homedir } from "node:os";
import { join } from "node:path";

export function cacheRoot() {
  const base = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return process.env["OLLAMA_STACK_CACHE"] || join(base, "ollama-stack");
}

/** Where Node.js keeps what it has compiled (NODE_COMPILE_CACHE): the program loads in half the time. */
export function compileCache() {
  return process.env["NODE_COMPILE_CACHE"] || join(cacheRoot(), "compiled");
}

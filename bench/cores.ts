import { execFileSync } from "node:child_process";

/** The core that what is measured has alone. */
export const GATEWAY_CORE = "0";

/** The core of the load, the fake Ollama and this program. */
export const LOAD_CORE = "1";

/** Moves this process, and what it starts without another word, off the core of what is measured. */
export function leaveGatewayCore(): void {
  execFileSync("taskset", ["-a", "-p", "-c", LOAD_CORE, String(process.pid)], { stdio: "ignore" });
}

import { execFileSync } from "node:child_process";

/** The core that only the program under test uses. */
export const GATEWAY_CORE = "0";

/** The core of the load generator, the fake Ollama and this program. */
export const LOAD_CORE = "1";

/** Moves this process, and by inheritance its children, off the core of the program under test. */
export function leaveGatewayCore(): void {
  execFileSync("taskset", ["-a", "-p", "-c", LOAD_CORE, String(process.pid)], { stdio: "ignore" });
}

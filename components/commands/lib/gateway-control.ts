import { containerState, EngineTimeout, docker, EngineError } from "../../../engine/docker-cli.ts";

// An update that changes the number of Ollama servers drains or returns them in gateways that it replaces before or after.
const unknownServer = /^\S+ is not a backend of this gateway; it has /;

/**
 * Runs a command on a gateway's control socket and prints the gateway's messages. Skips a gateway that does not run or does
 * not have the server; reports one that does not know the command, or needs longer than `withinMs`.
 */
export async function control(gateway: string, args: readonly string[], withinMs: number): Promise<void> {
  if ((await containerState(gateway))?.status !== "running") return;
  const missing: string[] = [];
  const onOutput = (text: string) => {
    for (const line of text.split("\n"))
      if (unknownServer.test(line)) missing.push(line);
      else if (line !== "") console.error(`${gateway}: ${line}`);
  };
  try {
    await docker(["exec", gateway, "node", "/app/control.cjs", ...args], { onOutput, withinMs });
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    if (missing.length > 0) return;
    // The gateway has already reported why it failed.
    onOutput(`${args.join(" ")} failed${error instanceof EngineTimeout ? `: ${error.message}` : ""}`);
  }
}

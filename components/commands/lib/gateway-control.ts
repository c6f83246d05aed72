import { containerState, DidNotEnd, docker, EngineError } from "../../../engine/docker-cli.ts";

/**
 * Has a gateway do something through what its image has for it; what it says of it is passed on. A gateway that does
 * not run is left out, and one that does not know how, or is not done within so many milliseconds, is told of.
 */
export async function control(gateway: string, args: readonly string[], withinMs: number): Promise<void> {
  if ((await containerState(gateway))?.status !== "running") return;
  const tell = (text: string) => {
    for (const line of text.split("\n")) if (line !== "") console.error(`${gateway}: ${line}`);
  };
  try {
    await docker(["exec", gateway, "node", "/app/control.cjs", ...args], { tell, withinMs });
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    // Why it failed it has said itself.
    tell(`${args.join(" ")} failed${error instanceof DidNotEnd ? `: ${error.message}` : ""}`);
  }
}

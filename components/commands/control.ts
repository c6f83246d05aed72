import { spawn } from "node:child_process";
import { containerState } from "../engine.ts";

/**
 * Has a gateway do something through what its image has for it; what it says of it is passed on. A gateway that does
 * not run is left out, and one that does not know how is told of.
 */
export async function control(gateway: string, args: readonly string[]): Promise<void> {
  if ((await containerState(gateway))?.status !== "running") return;
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn("docker", ["exec", gateway, "node", "/app/control.cjs", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
    });
    const tell = (text: string) => {
      for (const line of text.split("\n")) if (line !== "") console.error(`${gateway}: ${line}`);
    };
    child.stdout.setEncoding("utf8").on("data", tell);
    child.stderr.setEncoding("utf8").on("data", tell);
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) console.error(`${gateway}: ${args.join(" ")} failed`);
}

import { spawn } from "node:child_process";
import { containerState } from "../engine.ts";

/**
 * Has a gateway do something through what its image has for it; what it says of it is passed on. A gateway that does
 * not run is left out, and one that does not know how, or is not done within so many milliseconds, is told of.
 */
export async function control(gateway: string, args: readonly string[], withinMs: number): Promise<void> {
  if ((await containerState(gateway))?.status !== "running") return;
  const failed = await new Promise<string | undefined>((resolve, reject) => {
    const child = spawn("docker", ["exec", gateway, "node", "/app/control.cjs", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
    });
    const tell = (text: string) => {
      for (const line of text.split("\n")) if (line !== "") console.error(`${gateway}: ${line}`);
    };
    child.stdout.setEncoding("utf8").on("data", tell);
    child.stderr.setEncoding("utf8").on("data", tell);
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      resolve(`did not end within ${String(withinMs / 1000)} s`);
    }, withinMs);
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve(code === 0 ? undefined : "failed");
    });
  });
  if (failed !== undefined) console.error(`${gateway}: ${args.join(" ")} ${failed}`);
}

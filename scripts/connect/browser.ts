import { spawn } from "node:child_process";

/** The command that opens a URL in a browser; undefined without a display. */
export function browserCommand(
  url: string,
  platform: NodeJS.Platform,
  environment: NodeJS.ProcessEnv,
): readonly [string, ...string[]] | undefined {
  if (platform === "darwin") return ["open", url];
  // Not through a shell, because "start" would interpret an "&" in the URL.
  if (platform === "win32") return ["rundll32", "url.dll,FileProtocolHandler", url];
  const hasDisplay = Boolean(environment["DISPLAY"]) || Boolean(environment["WAYLAND_DISPLAY"]);
  return hasDisplay ? ["xdg-open", url] : undefined;
}

/** Opens a URL in a browser that outlives this process; returns false if there is none. */
export async function openInBrowser(
  url: string,
  platform: NodeJS.Platform,
  environment: NodeJS.ProcessEnv,
): Promise<boolean> {
  const command = browserCommand(url, platform, environment);
  if (command === undefined) return false;
  const [program, ...args] = command;
  return await new Promise((resolve) => {
    const child = spawn(program, args, { stdio: "ignore", detached: true });
    child.once("error", () => {
      resolve(false);
    });
    child.once("spawn", () => {
      child.unref();
      resolve(true);
    });
  });
}

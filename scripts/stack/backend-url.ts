import { homedir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * The URL of a state in a folder, as the CLI reads it: what follows "file://" is a path to it. On Windows that is
 * "file://C:/...", as it would take "/C:/..." for a folder of the current drive.
 */
export function backendUrl(folder: string, platform: string = process.platform): string {
  const windows = platform === "win32";
  const { href } = pathToFileURL(folder, { windows });
  return windows ? href.replace(/^file:\/\/\/(?=[A-Za-z]:)/, "file://") : href;
}

/** The folder of a state, which may be relative to the working directory; undefined for other backends. */
export function backendFolder(backend: string, platform: string = process.platform): string | undefined {
  if (!backend.startsWith("file://")) return undefined;
  const [address = ""] = backend.slice("file://".length).split("?");
  const path = decodeURIComponent(address);
  if (path.startsWith("~")) return join(homedir(), path.slice(1));
  return platform === "win32" ? path.replace(/^\/(?=[A-Za-z]:)/, "") : path;
}

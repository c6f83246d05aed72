import { homedir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * The URL of a state folder in the CLI's format, which takes everything after "file://" as a path. On Windows that is
 * "file://C:/...", because the CLI would take "/C:/..." for a folder on the current drive.
 */
export function backendUrl(folder: string, platform: string = process.platform): string {
  const windows = platform === "win32";
  const { href } = pathToFileURL(folder, { windows });
  return windows ? href.replace(/^file:\/\/\/(?=[A-Za-z]:)/, "file://") : href;
}

/** The folder of a file backend, possibly relative to the working directory; undefined for other backends. */
export function backendFolder(backend: string, platform: string = process.platform): string | undefined {
  if (!backend.startsWith("file://")) return undefined;
  const [address = ""] = backend.slice("file://".length).split("?");
  const path = decodeURIComponent(address);
  if (path.startsWith("~")) return join(homedir(), path.slice(1));
  return platform === "win32" ? path.replace(/^\/(?=[A-Za-z]:)/, "") : path;
}

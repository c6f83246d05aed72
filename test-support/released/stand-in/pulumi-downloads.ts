import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Call, redirect, sendFile, sendText } from "./respond.ts";
import { hosts } from "./settings.ts";

/** get.pulumi.com: the install script, and what GitHub is the first source for. */
export function pulumiSite(call: Call, releases: string): void {
  const { path } = call;
  if (path === "/" || path === "/install.sh") {
    if (call.request.method === "HEAD") sendText(call, 200, "");
    else sendText(call, 404, "Not Found");
    return;
  }
  const file = join(releases, path.split("/").at(-1) ?? "");
  // The bucket behind it says 403 for what it does not have. A release's checksums are on GitHub.
  if (/^\/releases\/(sdk|plugins)\/.*\.tar\.gz$/.test(path) && existsSync(file)) sendFile(call, file);
  else sendText(call, 403, "AccessDenied");
}

/** github.com: a release's asset is on another host. */
export function github(call: Call, releases: string): void {
  const asset = /^\/pulumi\/[a-z-]+\/releases\/download\/v[^/]+\/([^/]+)$/.exec(call.path)?.[1];
  if (call.path === "/") sendText(call, 200, "");
  else if (
    asset === undefined ||
    call.faults.withoutGithubAssets === true ||
    !existsSync(join(releases, asset))
  )
    sendText(call, 404, "Not Found");
  else
    redirect(call, `https://${hosts.githubAssets}/github-production-release-asset/1/${asset}?sp=r&sig=test`);
}

export function githubAssets(call: Call, releases: string): void {
  sendFile(call, join(releases, call.path.split("/").at(-1) ?? ""));
}

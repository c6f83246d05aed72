import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { partBinary, parts } from "../../toolchain/binaries.ts";
import { isolation } from "./world.ts";

const programs = ["unshare", "nsenter", "setpriv", "ip", "openssl", "tar", "gzip", "docker"];

/** Why a ReleasedWorld cannot run on this machine; undefined if it can. */
export function whyNoReleasedWorld(): string | undefined {
  if (process.platform !== "linux") return "it needs Linux";
  if (process.getuid?.() !== 0) return "it needs root, to make network and mounts of its own";
  const missing = programs.filter((name) => spawnSync("sh", ["-c", `command -v ${name}`]).status !== 0);
  if (missing.length > 0) return `these programs are missing: ${missing.join(", ")}`;
  const needed = [...Object.values(parts)].filter((part) => !existsSync(partBinary(part)));
  if (needed.length > 0)
    return `its releases are made of tools that toolchain/ builds, and this machine has not built ${needed.map(({ name }) => name).join(", ")}`;
  const { status, stderr } = spawnSync("unshare", [...isolation, "true"], { encoding: "utf8" });
  return status === 0 ? undefined : `this machine does not let it isolate itself: ${stderr.trim()}`;
}

import { createHash } from "node:crypto";
import { lstatSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { type FileView, readInContainer } from "../../engine/container-view.ts";
import { EngineError, engineHost, isRemote } from "../../engine/docker-cli.ts";
import { ConfigError } from "../config/config-error.ts";
import type { EdgeMode } from "../config/edge-modes.ts";
import type { StackConfig } from "../config/keys.ts";

/** The files that each edge mode needs in the folder of certificates. */
const needed: Readonly<Partial<Record<EdgeMode | "none", readonly string[]>>> = {
  certificate: ["cert.pem", "key.pem"],
  acme: ["acme-root.pem"],
};

type EdgeFiles = Pick<
  StackConfig,
  "edge" | "edgeCertificates" | "gatewayBaseImage" | "dockerHost" | "dockerCertPath"
>;

/**
 * A hash of the public parts of the certificates, so that renewed ones are reloaded. Empty if there are none, or if they
 * cannot be read yet, on a remote engine without the gateway's base image.
 *
 * @throws ConfigError when the edge's container could not read a file
 */
export async function certificatesVersion(config: EdgeFiles): Promise<string> {
  const { edge, edgeCertificates: folder, gatewayBaseImage: image } = config;
  const names = needed[edge];
  if (folder === "" || names === undefined) return "";
  const mounted = { type: "bind", source: folder, image, engine: config } as const;
  const seen = await readInContainer(mounted, names).catch((error: unknown) => {
    if (!(error instanceof EngineError)) throw error;
    // Docker Desktop mounts only the folders on its list.
    throw new ConfigError([
      `edgeCertificates is ${JSON.stringify(folder)}, which the engine cannot mount: ${error.message}; share that folder with the engine, or set another one`,
    ]);
  });
  const views = seen ?? (isRemote(engineHost(config)) ? [] : names.map((name) => viewFromHost(folder, name)));
  const problems = views.flatMap(({ name, error }) => {
    const what = error === undefined ? undefined : problem(folder, name, error);
    return what === undefined
      ? []
      : `edgeCertificates is ${JSON.stringify(folder)}, but its ${name} ${what}; edge ${edge} needs ${names.join(" and ")} there`;
  });
  if (problems.length > 0) throw new ConfigError(problems);
  const hash = createHash("sha256");
  for (const { name, sha256 } of views) if (name !== "key.pem") hash.update(sha256 ?? "");
  return views.length === 0 ? "" : hash.digest("hex").slice(0, 16);
}

function problem(folder: string, name: string, error: string): string {
  const outside = linkOutOf(folder, name);
  if (outside !== undefined)
    return (
      `is a link to ${outside}, outside that folder and so not in the edge's container: copy the files ` +
      `(cp -L) into a separate folder at each renewal, and set edgeCertificates to that folder`
    );
  if (error === "ENOENT") return "is missing";
  if (error === "EACCES")
    return "cannot be read by the edge's container, whose root user may not read other users' files: make root its owner (chown root), or readable for others (chmod o+r)";
  return `cannot be read (${error})`;
}

/**
 * Reads a file from the host. If this user may not read it, the container still may, so that is not an error and the hash
 * stays unknown.
 */
function viewFromHost(folder: string, name: string): FileView {
  if (linkOutOf(folder, name) !== undefined) return { name, error: "ENOENT" };
  try {
    return {
      name,
      sha256: createHash("sha256")
        .update(readFileSync(join(folder, name)))
        .digest("hex"),
    };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return code === "EACCES" ? { name } : { name, error: code };
  }
}

const mostLinks = 40;

/** The target of a link that leads out of its folder; undefined if it stays inside or cannot be read. */
function linkOutOf(folder: string, name: string): string | undefined {
  try {
    const root = realpathSync(folder);
    let path = join(root, name);
    for (let i = 0; i < mostLinks && lstatSync(path).isSymbolicLink(); i += 1) {
      const target = readlinkSync(path);
      path = resolve(dirname(path), target);
      if (isAbsolute(target) || relative(root, path).startsWith("..")) return path;
      path = join(realpathSync(dirname(path)), basename(path));
      if (relative(root, path).startsWith("..")) return path;
    }
  } catch {
    // It is missing, or this user may not read the folder.
  }
  return undefined;
}

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type EngineAddress, EngineError } from "./docker-cli.ts";
import { runHelper } from "./helper-container.ts";

/** A volume, or a folder or file on the engine's host, to mount into a container. */
export interface Mounted {
  readonly type: "volume" | "bind";
  readonly source: string;
  /** The name of `source` in the mounted folder, if it is a file. */
  readonly fileName?: string;
  /** The user and group that access it; root by default. */
  readonly user?: string;
  readonly engine: EngineAddress;
  /** An image with Node.js. */
  readonly image: string;
}

export interface FileView {
  readonly name: string;
  /** SHA-256 of its content in hexadecimal; undefined if it cannot be read. */
  readonly sha256?: string | undefined;
  /** Code of the error, such as ENOENT or EACCES. */
  readonly error?: string | undefined;
}

const program = readFileSync(join(import.meta.dirname, "container-view.mjs"), "utf8");
const views = z.array(
  z.object({ name: z.string(), sha256: z.string().optional(), error: z.string().optional() }),
);

/**
 * Reads files in a container without capabilities, subject to links, owners, modes and user namespaces. Undefined if
 * the engine does not have the image, which is not pulled.
 */
export async function readInContainer(
  mounted: Mounted,
  names: readonly string[],
): Promise<FileView[] | undefined> {
  try {
    const text = await look(mounted, ["read", ...names]);
    return text === undefined ? undefined : views.parse(JSON.parse(text));
  } catch (error) {
    if (error instanceof EngineError && /bind source path does not exist/i.test(error.message))
      return names.map((name) => ({ name, error: "ENOENT" }));
    throw error;
  }
}

/** The error code when root without capabilities writes to the mount; null if it succeeds; undefined as above. */
export async function writeErrorInContainer(mounted: Mounted): Promise<string | null | undefined> {
  const text = await look(mounted, ["write"]);
  return text === undefined ? undefined : z.string().nullable().parse(JSON.parse(text));
}

async function look(
  { type, source, fileName, user = "0:0", engine, image }: Mounted,
  args: string[],
): Promise<string | undefined> {
  const target = fileName === undefined ? "/mounted" : `/mounted/${fileName}`;
  const mount = `type=${type},source=${source},target=${target}${args[0] === "read" ? ",readonly" : ""}`;
  const options = ["--pull", "never", "--mount", mount];
  try {
    return await runHelper({ program, image, user, options }, args, { engine });
  } catch (error) {
    if (error instanceof EngineError && /no such image|unable to find image/i.test(error.message))
      return undefined;
    throw error;
  }
}

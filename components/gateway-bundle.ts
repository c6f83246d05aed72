import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { buildSync } from "esbuild";

/** The build context of the gateway's image, relative to the project: an absolute path would differ between machines. */
export const gatewayContext = "gateway";

/**
 * Bundles the gateway's sources and dependencies into `gateway/dist`, so that building its image needs no network
 * and the same sources give the same image. Returns a hash of all that the image is built from but its base.
 */
export function bundleGateway(projectRoot: string, outdir = `${gatewayContext}/dist`): string {
  const result = buildSync({
    absWorkingDir: projectRoot,
    entryPoints: [`${gatewayContext}/src/server.ts`, `${gatewayContext}/src/healthcheck.ts`],
    outdir,
    outExtension: { ".js": ".cjs" },
    bundle: true,
    write: false,
    platform: "node",
    target: "node24",
    // As ECMAScript modules, node's own modules are loaded with all that they export: node:http brings a fetch with it.
    format: "cjs",
    // What Fastify loads only when it is used, and the gateway does not use.
    external: ["@fastify/ajv-compiler", "@fastify/fast-json-stringify-compiler", "light-my-request"],
    // Leaves out a second, experimental parser of undici's.
    define: { esbuildDetection: "true" },
    // Names stay as they are, so that a stack trace can be read.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "eof",
    logLevel: "silent",
  });
  const hash = createHash("sha256");
  for (const name of ["Dockerfile", ".dockerignore"]) {
    hash
      .update(name)
      .update("\0")
      .update(readFileSync(join(projectRoot, gatewayContext, name)))
      .update("\0");
  }
  removeOthers(join(projectRoot, outdir), result.outputFiles);
  for (const file of result.outputFiles) {
    hash.update(basename(file.path)).update("\0").update(file.contents).update("\0");
    writeIfChanged(file.path, file.contents);
  }
  return hash.digest("hex");
}

/** What an older version of this program bundled would go into the image as well. */
function removeOthers(directory: string, files: readonly { readonly path: string }[]): void {
  if (!existsSync(directory)) return;
  const kept = new Set(files.map(({ path }) => basename(path)));
  for (const name of readdirSync(directory)) if (!kept.has(name)) rmSync(join(directory, name));
}

function writeIfChanged(path: string, contents: Uint8Array): void {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, contents);
}

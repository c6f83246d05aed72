import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildSync } from "esbuild";

/** The build context of the gateway's image, relative to the project: an absolute path would differ between machines. */
export const gatewayContext = "gateway";

/**
 * Bundles the gateway's sources and dependencies into `gateway/dist`, so that building its image needs no network
 * and the same sources give the same image. Returns a hash of all that the image is built from but its base.
 */
export function bundleGateway(projectRoot: string): string {
  const result = buildSync({
    absWorkingDir: projectRoot,
    entryPoints: [`${gatewayContext}/src/server.ts`, `${gatewayContext}/src/healthcheck.ts`],
    outdir: `${gatewayContext}/dist`,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    write: false,
    platform: "node",
    target: "node24",
    format: "esm",
    // Some dependencies are CommonJS and call require for node's own modules.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
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
  for (const file of result.outputFiles) {
    hash.update(file.path.slice(projectRoot.length)).update("\0").update(file.contents).update("\0");
    writeIfChanged(file.path, file.contents);
  }
  return hash.digest("hex");
}

function writeIfChanged(path: string, contents: Uint8Array): void {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, contents);
}

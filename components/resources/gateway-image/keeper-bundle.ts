import { buildSync } from "esbuild";
import { keeperFile } from "../../config/kubernetes/pod-models.ts";

/** Bundles the model keeper, which the image of stacks on Kubernetes contains besides the gateway. */
export function bundleKeeper(projectRoot: string): Uint8Array {
  const { outputFiles } = buildSync({
    absWorkingDir: projectRoot,
    entryPoints: ["components/commands/keep-models.ts"],
    outfile: keeperFile,
    bundle: true,
    write: false,
    platform: "node",
    target: "node24",
    format: "cjs",
    // Drops a second, experimental parser of undici.
    define: { esbuildDetection: "true" },
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "eof",
    logLevel: "silent",
  });
  const [bundle] = outputFiles;
  if (bundle === undefined) throw new Error("esbuild created no bundle of the model keeper");
  return bundle.contents;
}

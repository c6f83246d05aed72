import { buildSync } from "esbuild";
import { keeperFile } from "../../config/kubernetes/pod-models.ts";

/** Bundles what keeps the models of a pod, which the image of stacks on Kubernetes has besides the gateway. */
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
    // Leaves out a second, experimental parser of undici's.
    define: { esbuildDetection: "true" },
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "eof",
    logLevel: "silent",
  });
  const [bundle] = outputFiles;
  if (bundle === undefined) throw new Error("esbuild made no bundle of the keeper");
  return bundle.contents;
}

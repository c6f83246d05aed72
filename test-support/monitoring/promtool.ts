import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { parse } from "yaml";
import { partBinary, parts } from "../../toolchain/binaries.ts";

/** Runs Prometheus' own tool in a folder, as built here or from the default image. Returns its output. */
export function promtool(args: readonly string[], folder: string): Promise<{ code: number; output: string }> {
  const built = partBinary(parts.promtool);
  const [program, before] = existsSync(built)
    ? [built, []]
    : [
        "docker",
        [
          ...["run", "--rm", "--network", "none", "--volume", `${folder}:${folder}:ro`, "--workdir", folder],
          ...["--entrypoint", "/bin/promtool", defaultImage()],
        ],
      ];
  return new Promise((resolve) => {
    execFile(program, [...before, ...args], { cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

function defaultImage(): string {
  const { config } = parse(readFileSync("Pulumi.yaml", "utf8")) as {
    config: { prometheusImage: { default: string } };
  };
  return config.prometheusImage.default;
}

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { step } from "../../host/progress.ts";
import { artefact, artefactPath, keyOfFolder } from "../../toolchain/cache.ts";
import { goBuild } from "../../toolchain/go-build.ts";
import { findGo } from "../../toolchain/go.ts";

/** Docker Compose's module. Its go.mod pins the version. */
const source = join(import.meta.dirname, "compose");
const program = "docker-compose";
const package_ = "github.com/docker/compose/v5/cmd";
export const composeVersion = "5.1.2";

/** Returns a folder for DOCKER_CONFIG that makes `docker compose` this version, which is built if it is missing. */
export async function composeConfig(): Promise<string> {
  const name = "bench-compose";
  const key = keyOfFolder(source);
  const folder = artefactPath(name, key);
  if (existsSync(folder)) return folder;
  const go = await findGo();
  return await step("Building Docker Compose", 60, (report) =>
    artefact(name, key, async (partial) => {
      const version = `-X github.com/docker/compose/v5/internal.Version=v${composeVersion}`;
      const plugins = join(partial, "cli-plugins");
      mkdirSync(plugins);
      await goBuild(go, {
        what: "Docker Compose",
        folder: source,
        package: package_,
        output: join(plugins, program),
        args: ["-ldflags", `-s -w ${version}`],
        report,
      });
    }),
  );
}

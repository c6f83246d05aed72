import { existsSync } from "node:fs";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { clusterParts, providerFolder } from "../../toolchain/cluster-binaries.ts";
import { places, uninstall } from "../../toolchain/install.ts";
import { shortStackName } from "../../engine/names.ts";
import { formatBytes } from "../../engine/format-bytes.ts";
import { cacheRoot } from "../../host/cache-dir.mjs";
import { stateFolder } from "../stack/backend.ts";
import type { Leftover } from "./engine-leftovers.ts";

const checkpoint = z.object({
  checkpoint: z.object({ latest: z.object({ resources: z.array(z.unknown()).nullish() }).nullish() }),
});

/** The kind of leftover that is this project's state. */
export const stateKind = "state and passphrase";

/** This project's folders outside the checkout, and the tools that it built. */
export async function folders(): Promise<Leftover[]> {
  const cache = cacheRoot();
  const state = stateFolder(process.env);
  const built = [...places(), { part: clusterParts.provider, folder: providerFolder() }].filter(
    ({ part, folder }) => existsSync(join(folder, `.${part.name}.built`)),
  );
  return [
    ...(await folder("cache", cache)),
    ...(await folder(stateKind, state)),
    ...(await Promise.all(
      built.map(async ({ part, folder }) => ({
        kind: "built tool",
        name: join(folder, part.name),
        size: formatBytes((await stat(join(folder, part.name))).size),
        remove: () => {
          uninstall(part, folder);
          return Promise.resolve();
        },
      })),
    )),
  ];
}

/** Stacks in the local state that still have resources; `only` looks for one of them. */
export async function deployedStacks(only?: string): Promise<string[]> {
  const stacks = join(stateFolder(process.env), "backend", ".pulumi", "stacks");
  if (!existsSync(stacks)) return [];
  const files = (await readdir(stacks, { recursive: true })).filter(
    (file) =>
      file.endsWith(".json") && (only === undefined || basename(file, ".json") === shortStackName(only)),
  );
  const found = await Promise.all(
    files.map(async (file) => {
      const resources = await resourcesIn(join(stacks, file));
      return resources.length > 0 ? [basename(file, ".json")] : [];
    }),
  );
  return found.flat();
}

async function resourcesIn(file: string): Promise<readonly unknown[]> {
  try {
    const content = checkpoint.parse(JSON.parse(await readFile(file, "utf8")));
    return content.checkpoint.latest?.resources ?? [];
  } catch (error) {
    throw new Error(
      `the state ${file} cannot be read, so the stack ${basename(file, ".json")} may still be up. Restore the file, or remove it if that state is lost`,
      { cause: error },
    );
  }
}

async function folder(kind: string, path: string): Promise<Leftover[]> {
  if (!existsSync(path)) return [];
  const remove = () => rm(path, { recursive: true, force: true });
  return [{ kind, name: path, size: formatBytes(await bytesIn(path)), remove }];
}

async function bytesIn(path: string): Promise<number> {
  const files = await readdir(path, { recursive: true, withFileTypes: true });
  const sizes = files
    .filter((entry) => entry.isFile())
    // Files deleted in the meantime have no size.
    .map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        ({ size }) => size,
        () => 0,
      ),
    );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

import { copyFileSync, globSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { modelFolder } from "../../toolchain/model.ts";

/** Names of the tests' only model in the world's Ollama registry. */
const names = ["llama3.2:1b", "smollm2:135m"];

/** Fills a folder with the content of Ollama's registry: manifests by name, and blobs. */
export function fillModels(folder: string): void {
  const models = join(modelFolder(), "models");
  mkdirSync(join(folder, "manifests"), { recursive: true });
  symlinkSync(join(models, "blobs"), join(folder, "blobs"));
  const [manifest] = globSync(join(models, "manifests", "**", "*"), { withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  if (manifest === undefined) throw new Error(`${models} has no model: run npm run setup`);
  for (const name of names)
    copyFileSync(join(manifest.parentPath, manifest.name), join(folder, "manifests", name));
}

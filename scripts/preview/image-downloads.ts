import { queryEngine, EngineError } from "../../engine/docker-cli.ts";
import { formatBytes } from "../../engine/format-bytes.ts";
import { imageId } from "../../engine/image-id.ts";
import { parseReference } from "../registry/image-reference.ts";
import { RegistryError } from "../registry/manifests.ts";
import { imageSize } from "./image-size.ts";
import { imageType, resourceOf, type Step } from "./steps.ts";

// No longer than a preview takes anyway.
const registryMs = 5_000;

/**
 * Image downloads of an update, one line for each image in a preview that the engine lacks. Unchanged images, and images
 * built here, are not looked up. `withinMs` is the timeout for a registry, 5 s by default.
 */
export async function imageDownloads(steps: readonly Step[], withinMs = registryMs): Promise<string[]> {
  const pulls = new Map(steps.flatMap(pulledBy));
  const lines = await Promise.all([...pulls].map(([name, platform]) => download(name, platform, withinMs)));
  return lines.filter((line) => line !== undefined);
}

/** Name and platform ("" for the engine's own) of the image to pull in a step. */
function pulledBy(step: Step): [string, string][] {
  const { name, platform, build } = step.newState?.inputs ?? {};
  const brings = ["create", "create-replacement", "replace"].includes(step.op);
  if (!brings || resourceOf(step).type !== imageType || build !== undefined) return [];
  return typeof name === "string" ? [[name, typeof platform === "string" ? platform : ""]] : [];
}

async function download(name: string, platform: string, withinMs: number): Promise<string | undefined> {
  const pulled = `Image ${name}: it will be pulled`;
  try {
    if ((await imageId(name)) !== undefined) return undefined;
    const target = platform === "" ? await enginePlatform() : platform;
    const bytes = await imageSize(parseReference(name), target, AbortSignal.timeout(withinMs));
    // The engine skips layers that it already has, but does not report which ones these are.
    return `${pulled}, up to ${formatBytes(bytes)}`;
  } catch (error) {
    if (error instanceof RegistryError) return `${pulled}, size unknown: ${error.message}`;
    if (error instanceof EngineError)
      return `Image ${name}: cannot check whether it will be pulled: ${error.message}`;
    throw error;
  }
}

async function enginePlatform(): Promise<string> {
  return (await queryEngine(["version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"])).trim();
}

// npm run image: builds the image for stacks on Kubernetes, which nodes pull from a registry.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  clusterImage,
  imageIn,
  writeImageContext,
} from "../../components/resources/gateway-image/cluster-image.ts";
import { buildImage, parsePlatforms } from "../../engine/image-build.ts";
import { SetupError } from "../../host/exec.ts";
import { command } from "../cli/command.ts";
import { UsageError } from "../cli/command-line.mjs";
import { openSession } from "../cli/session.ts";
import { commandWith } from "../cli/stack-option.ts";
import { settingsFor } from "../stack/settings.ts";

const root = join(import.meta.dirname, "..", "..");

await command("image", async ({ options }) => {
  const { push, tag, platform } = options;
  if (push !== undefined && tag !== undefined)
    throw new UsageError(
      `image takes either --push or --tag, but got both: --push ${push} pushes the image, --tag ${tag} only builds it`,
    );
  const platforms = platform === undefined ? [] : parsePlatforms(platform);
  const { stack, stackOption, toolSource } = await openSession(options);
  const setting = settingsFor(stack, []);
  const base = String(setting("gatewayBaseImage"));
  const registry = String(setting("imageRegistry"));
  const reference = push ?? tag ?? (registry === "" ? undefined : imageIn(registry));
  if (reference === undefined)
    throw new SetupError(
      `name the image: ${commandWith("image", stackOption)} --push registry.example.org/ollama-stack/gateway; or set imageRegistry in the config of the stack ${stack}`,
    );
  const { keeper, tag: content } = clusterImage(root, base);
  // A colon after the last slash starts a tag; before it, a port.
  const name = /:[^/]+$/.test(reference) ? reference : `${reference}:${content}`;
  const context = mkdtempSync(join(tmpdir(), "ollama-stack-image-"));
  try {
    writeImageContext(root, keeper, context);
    await buildImage({
      name,
      context,
      buildArgs: { BASE_IMAGE: base },
      platforms,
      isPushed: tag === undefined,
      // Debian's engine comes without buildx.
      usesLegacyBuilder: toolSource === "built",
    });
  } finally {
    rmSync(context, { recursive: true });
  }
  console.log(name);
});

// npm run image: builds the image of stacks on Kubernetes, whose nodes pull it from a registry.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gatewayContext } from "../../components/resources/gateway-image/bundle.ts";
import { clusterImage, imageIn } from "../../components/resources/gateway-image/cluster-image.ts";
import { keeperFile } from "../../components/config/pod-models.ts";
import { runTool, SetupError } from "../../host/exec.ts";
import { say } from "../../host/progress.ts";
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";
import { settingsFor } from "../stack/settings.ts";

const root = join(import.meta.dirname, "..", "..");

await command("image", async ({ options }) => {
  const { push, tag } = options;
  const { stack, world } = await openSession({ ...options, isForCluster: true });
  const setting = settingsFor(stack, []);
  const base = String(setting("gatewayBaseImage"));
  const registry = String(setting("imageRegistry"));
  const given = push ?? tag ?? (registry === "" ? undefined : imageIn(registry));
  if (given === undefined)
    throw new SetupError(
      "name the image: npm run image -- --push registry.example.org/ollama-stack/gateway; or set imageRegistry in the stack's config",
    );
  const { keeper, tag: content } = clusterImage(root, base);
  // Behind the last slash, a colon begins a tag; before it, a port.
  const name = /:[^/]+$/.test(given) ? given : `${given}:${content}`;
  const build = (context: string, ...args: string[]) =>
    runTool("docker", ["build", ...args, "--tag", name, context], {
      what: `build image ${name}`,
      // Debian's engine comes without buildx.
      ...(world === "built" ? { env: { DOCKER_BUILDKIT: "0" } } : {}),
    });
  await build(join(root, gatewayContext), "--build-arg", `BASE_IMAGE=${base}`);
  const context = mkdtempSync(join(tmpdir(), "ollama-stack-image-"));
  try {
    writeFileSync(join(context, keeperFile), keeper, { mode: 0o644 });
    writeFileSync(join(context, "Dockerfile"), `FROM ${name}\nCOPY ${keeperFile} /app/${keeperFile}\n`);
    await build(context);
  } finally {
    rmSync(context, { recursive: true });
  }
  if (tag === undefined) await runTool("docker", ["push", name], { what: `push ${name}`, report: say });
  console.log(name);
});

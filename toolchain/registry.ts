import type { DockerApi } from "../engine/docker-api.ts";
import type { Report } from "../host/progress.ts";
import { tryRun, runTool, SetupError } from "../host/exec.ts";
import { registryImage } from "./images.ts";

/** The container that serves models to all stacks of this host. */
export const registryContainer = "ollama-stack-registry";

/** Its address for stacks, under the host names registry and blobs, which both map to host-gateway. */
const registryPort = 5000;

export async function isRegistryRunning(api: DockerApi): Promise<boolean> {
  const container = await api.container(registryContainer);
  return container?.State.Running === true && container.Config.Image === registryImage().keyedTag;
}

/** Starts it, after recreating it if it is missing or has another image. Its content is in the image. */
export async function startRegistry(api: DockerApi, report: Report): Promise<void> {
  const what = "start the model registry";
  const { keyedTag } = registryImage();
  const container = await api.container(registryContainer);
  if (container?.Config.Image === keyedTag) {
    await runTool("docker", ["start", registryContainer], { what, report });
    return;
  }
  if (container !== undefined) await tryRun("docker", ["rm", "--force", registryContainer]);
  // Only containers of this host reach that address, because the registry has no authentication.
  const gateway = await api.bridgeGateway();
  if (gateway === undefined)
    throw new SetupError(
      "the engine has no default bridge network, through which stacks reach the model registry",
    );
  const run = ["run", "--detach", `--name=${registryContainer}`, "--restart=unless-stopped", "--pull=never"];
  const hardening = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"];
  const limits = ["--memory=256m", "--pids-limit=128"];
  const published = `--publish=${gateway}:${registryPort}:${registryPort}`;
  try {
    await runTool("docker", [...run, ...hardening, ...limits, published, keyedTag], { what, report });
  } catch (error) {
    // The engine keeps the created container if its port was in use.
    await tryRun("docker", ["rm", "--force", registryContainer]);
    throw explained(error, gateway);
  }
}

function explained(error: unknown, address: string): unknown {
  const taken = /port is already allocated|address already in use/i.test(String(error));
  if (!taken) return error;
  return new SetupError(
    `port ${registryPort} at ${address}, where stacks find the model registry, is in use: ` +
      `stop what listens there (docker ps, or ss -ltnp 'sport = :${registryPort}') and run it again`,
  );
}

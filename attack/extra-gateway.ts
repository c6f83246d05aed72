import { docker } from "../engine/docker-cli.ts";
import { waitFor } from "./connections.ts";
import { Target } from "./target.ts";

const port = 18994;
const name = "ollama-stack-attack-direct-keyless";

/** Runs another gateway from a stack's image in its network, published on loopback, and always removes it. */
export async function withGateway<T>(
  stack: Target,
  environment: Readonly<Record<string, string>>,
  work: (gateway: Target) => Promise<T>,
  /** Mounted at /keys. */
  folder?: string,
): Promise<T> {
  const { gatewayImage, network, model } = stack.deployment;
  const variables = { HOST: "0.0.0.0", LLM_SERVICE_HOST_IP: "ollama", LLM_MODEL_ID: model, ...environment };
  await remove();
  const gateway = new Target({ ...stack.deployment, ca: undefined, host: "localhost", port });
  try {
    await docker([
      ...["run", "--detach", "--name", name, "--network", network, "--memory", "512m"],
      ...["--publish", `127.0.0.1:${port}:8000`],
      ...(folder === undefined ? [] : ["--volume", `${folder}:/keys:ro`]),
      ...Object.entries(variables).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
      gatewayImage,
    ]);
    const isUp = async () => (await gateway.send("/health", { key: "none" })).status === 200;
    if (!(await waitFor(isUp, 30_000))) throw new Error("the extra gateway does not start");
    return await work(gateway);
  } finally {
    await gateway.close();
    await remove();
  }
}

/** Starts a gateway from a stack's image with an environment that it should reject. */
export async function tryStart(
  stack: Target,
  environment: Readonly<Record<string, string>>,
): Promise<"rejected" | "started"> {
  await remove();
  let outcome: "rejected" | "started" | undefined;
  try {
    await docker([
      ...["run", "--detach", "--name", name, "--network", "none", "--memory", "512m"],
      ...Object.entries(environment).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
      stack.deployment.gatewayImage,
    ]);
    // It either exits or listens, which takes a while on a busy machine.
    const isKnown = async () => {
      const log = await docker(["container", "logs", name], { merge: true });
      const state = await docker(["container", "inspect", "--format", "{{.State.Status}}", name]);
      if (log.includes("Server listening")) outcome = "started";
      else if (state.trim() === "exited") outcome = "rejected";
      return outcome !== undefined;
    };
    await waitFor(isKnown, 120_000);
    if (outcome === undefined) throw new Error("a gateway neither starts nor exits within 120 s");
    return outcome;
  } finally {
    await remove();
  }
}

async function remove(): Promise<void> {
  await docker(["container", "rm", "--force", name]).catch(() => undefined);
}

import { docker } from "../engine/docker-cli.ts";
import { comesTrue } from "./connections.ts";
import { Target } from "./target.ts";

const port = 18994;
const name = "ollama-stack-attack-direct-keyless";

/** Runs another gateway of a stack's image beside it, published on loopback, and removes it whatever happens. */
export async function withGateway<T>(
  stack: Target,
  environment: Readonly<Record<string, string>>,
  work: (gateway: Target) => Promise<T>,
  /** Mounted at /keys. */
  folder?: string,
): Promise<T> {
  const { gatewayImage, network, model } = stack.place;
  const variables = { HOST: "0.0.0.0", LLM_SERVICE_HOST_IP: "ollama", LLM_MODEL_ID: model, ...environment };
  await remove();
  const gateway = new Target({ ...stack.place, ca: undefined, host: "localhost", port });
  try {
    await docker([
      ...["run", "--detach", "--name", name, "--network", network, "--memory", "512m"],
      ...["--publish", `127.0.0.1:${port}:8000`],
      ...(folder === undefined ? [] : ["--volume", `${folder}:/keys:ro`]),
      ...Object.entries(variables).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
      gatewayImage,
    ]);
    const isUp = async () => (await gateway.send("/health", { key: "none" })).status === 200;
    if (!(await comesTrue(isUp, 30_000))) throw new Error("the gateway beside the stack does not start");
    return await work(gateway);
  } finally {
    await gateway.close();
    await remove();
  }
}

/** Starts a gateway of a stack's image with an environment that it must not start with; what it did instead. */
export async function startRefused(
  stack: Target,
  environment: Readonly<Record<string, string>>,
): Promise<"refused" | "started"> {
  await remove();
  let outcome: "refused" | "started" | undefined;
  try {
    await docker([
      ...["run", "--detach", "--name", name, "--network", "none", "--memory", "512m"],
      ...Object.entries(environment).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
      stack.place.gatewayImage,
    ]);
    // It ends or it listens, however busy the machine is.
    const isKnown = async () => {
      const log = await docker(["container", "logs", name], { merge: true });
      const state = await docker(["container", "inspect", "--format", "{{.State.Status}}", name]);
      if (log.includes("Server listening")) outcome = "started";
      else if (state.trim() === "exited") outcome = "refused";
      return outcome !== undefined;
    };
    await comesTrue(isKnown, 120_000);
    if (outcome === undefined) throw new Error("a gateway neither starts nor ends within 120 s");
    return outcome;
  } finally {
    await remove();
  }
}

async function remove(): Promise<void> {
  await docker(["container", "rm", "--force", name]).catch(() => undefined);
}

import { engineEnvironment, engineProvider } from "../components/engine.ts";
import type { Deployment } from "./deployment.ts";
import { ask } from "./process.ts";
import { engineOf } from "./stack-file.ts";

/**
 * Refuses to go on with a stack that is deployed on another engine than its config names by now: Pulumi would take what
 * is there for what should be here. Another address of the same engine is no move. `env` is the CLI's.
 */
export async function refuseMove(
  stack: string,
  stackOption: string,
  { resources }: Deployment,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  if (!resources.some(({ type }) => type.startsWith("docker:"))) return;
  const provider = resources.find(
    ({ type, name }) => type === "pulumi:providers:docker" && name === engineProvider,
  );
  const text = (key: string) => {
    const value = provider?.inputs[key];
    return typeof value === "string" ? value : "";
  };
  const deployed = { dockerHost: text("host"), dockerCertPath: text("certPath") };
  const wanted = engineOf(stack);
  if (deployed.dockerHost === wanted.dockerHost) return;
  // The name as well: machines made of one image can share the identity.
  const id = (address: typeof wanted) =>
    ask("docker", ["info", "--format", "{{.ID}} {{.Name}}"], {
      env: { ...clean(env), ...engineEnvironment(address) },
    });
  const [there, here] = await Promise.all([id(deployed), id(wanted)]);
  if (there !== undefined && there === here) return;
  const name = (host: string) => (host === "" ? "this machine's engine" : `the engine at ${host}`);
  throw new Error(
    `the stack ${stack} is deployed on ${name(deployed.dockerHost)}, and its config names ${name(wanted.dockerHost)}. ` +
      `Take it down there with: npm run destroy${stackOption}, then bring it up here`,
  );
}

/** What an earlier address may have left in the environment does not go with the next. */
function clean(env: NodeJS.ProcessEnv): Record<string, string> {
  const named = ["DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"];
  return Object.fromEntries(named.map((key) => [key, env[key] ?? ""]));
}

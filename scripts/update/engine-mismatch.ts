import { clientVariables, deployedEngine, engineName } from "../stack/deployed-engine.ts";
import type { Deployment } from "../stack/deployment.ts";
import { tryRun } from "../../host/exec.ts";
import { engineOf } from "../stack/stack-file.ts";

/**
 * Fails if a stack is deployed on an engine other than the configured one, because Pulumi would mix up the engines' objects.
 * Another address of the same engine is allowed. `env` is the CLI's environment.
 */
export async function assertSameEngine(
  stack: string,
  stackOption: string,
  { resources }: Deployment,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const deployed = deployedEngine(resources);
  if (deployed === undefined) return;
  const configured = engineOf(stack);
  if (deployed.dockerHost === configured.dockerHost) return;
  // Compares the name too, because machines cloned from one image can share the id.
  const id = (address: typeof configured) =>
    tryRun("docker", ["info", "--format", "{{.ID}} {{.Name}}"], {
      env: clientVariables(address, env),
    });
  const [there, here] = await Promise.all([id(deployed), id(configured)]);
  if (there !== undefined && there === here) return;
  throw new Error(
    `the stack ${stack} is deployed on ${engineName(deployed)}, but its config selects ${engineName(configured)}. ` +
      `Destroy it there with: npm run destroy${stackOption}, then deploy it here`,
  );
}

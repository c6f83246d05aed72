import { clientVariables, deployedEngine, engineName } from "../stack/deployed-engine.ts";
import type { Deployment } from "../stack/deployment.ts";
import { tryRun } from "../../host/exec.ts";
import { engineOf } from "../stack/stack-file.ts";

/**
 * Refuses to go on with a stack that is deployed on another engine than its config names by now: Pulumi would take what
 * is there for what should be here. Another address of the same engine is no move. `env` is the CLI's.
 */
export async function assertSameEngine(
  stack: string,
  stackOption: string,
  { resources }: Deployment,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const deployed = deployedEngine(resources);
  if (deployed === undefined) return;
  const wanted = engineOf(stack);
  if (deployed.dockerHost === wanted.dockerHost) return;
  // The name as well: machines made of one image can share the identity.
  const id = (address: typeof wanted) =>
    tryRun("docker", ["info", "--format", "{{.ID}} {{.Name}}"], {
      env: clientVariables(address, env),
    });
  const [there, here] = await Promise.all([id(deployed), id(wanted)]);
  if (there !== undefined && there === here) return;
  throw new Error(
    `the stack ${stack} is deployed on ${engineName(deployed)}, and its config names ${engineName(wanted)}. ` +
      `Take it down there with: npm run destroy${stackOption}, then bring it up here`,
  );
}

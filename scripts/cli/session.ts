import { homedir } from "node:os";
import { join } from "node:path";
import { copyCiConfig } from "../stack/ci-stack.ts";
import { printLine } from "../../host/progress.ts";
import { requireClusterProvider } from "../setup/cluster-provider.ts";
import { setup, type ToolSource } from "../setup/setup.ts";
import { configFileVariable } from "../stack/pulumi-cli.ts";
import { isOnCluster, keepStackFile, stackFile, writableCopy } from "../stack/stack-file.ts";
import { chosenBackend, stateEnvironment, stateFolder } from "../stack/backend.ts";
import { mendStateFiles } from "../stack/backend-files.ts";

/** What every command needs: the tools set up, state and passphrase found, and the stack it is about. */
export interface Session {
  readonly world: ToolSource;
  readonly stack: string;
  /** What to add to `npm run NAME` so that it is about the same stack. */
  readonly stackOption: string;
  /** The whole environment that the CLI runs in. */
  readonly env: NodeJS.ProcessEnv;
  /** What of it this project added, for `npm run env`. */
  readonly added: Readonly<Record<string, string>>;
}

/** The options that commands which work on a stack have in common. */
interface SessionOptions {
  readonly stack?: string;
  readonly tools?: string;
  readonly world?: string;
  readonly currentEngine?: boolean;
}

/** Sets up what is missing. */
export async function openSession({
  stack: option,
  tools,
  world: formerOption,
  currentEngine = false,
}: SessionOptions = {}): Promise<Session> {
  const environment = { ...process.env };
  const named = option ?? process.env["PULUMI_STACK"];
  const settings = named === undefined ? undefined : copyCiConfig(named);
  if (settings !== undefined) printLine(settings);
  const source = tools ?? formerOption;
  const { world, stack, env: toolEnvironment } = await setup({ tools: source, stack: named, currentEngine });
  const pulumiHome = process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
  const added = { ...toolEnvironment, ...stateEnvironment(process.env, pulumiHome) };
  const chosen = named ?? stack;
  if (isOnCluster(chosen)) requireClusterProvider(world);
  const stackOption = chosen === stack ? "" : ` -- --stack ${chosen}`;
  const env: NodeJS.ProcessEnv = { ...environment, ...added };
  const backend = chosenBackend(env, pulumiHome);
  if (backend !== undefined) mendStateFiles(backend);
  keepStackFile(stackFile(chosen));
  const settingsCopy = writableCopy(chosen, stateFolder(process.env));
  if (settingsCopy !== undefined) env[configFileVariable] = settingsCopy;
  return { world, stack: chosen, stackOption, env, added };
}

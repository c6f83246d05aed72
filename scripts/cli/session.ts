import { copyCiConfig } from "../stack/ci-stack.ts";
import { printLine } from "../../host/progress.ts";
import { requireClusterProvider } from "../setup/cluster-provider.ts";
import { setup, type ToolSource } from "../setup/setup.ts";
import { configFileVariable } from "../stack/pulumi-cli.ts";
import { isOnCluster, keepStackFile, stackFile, writableCopy } from "../stack/stack-file.ts";
import type { SelectedStack } from "../stack/selected-stack.ts";
import { chosenBackend, stateEnvironment, stateFolder } from "../stack/backend.ts";
import { stackOptionFor } from "./stack-option.ts";
import { removeEmptyAttributes } from "../stack/backend-files.ts";

/** The context of a command: installed tools, state, passphrase and the selected stack. */
export interface Session extends SelectedStack {
  readonly toolSource: ToolSource;
  /** The variables that this project added, for `npm run env`. */
  readonly added: Readonly<Record<string, string>>;
}

/** The options shared by commands that use a stack. */
interface SessionOptions {
  readonly stack?: string | undefined;
  readonly tools?: string;
  /** The former name of `tools`. */
  readonly world?: string;
  readonly currentEngine?: boolean;
}

/** Installs what is missing. */
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
  const {
    toolSource,
    stack,
    env: toolEnvironment,
  } = await setup({ tools: source, stack: named, currentEngine });
  const added = { ...toolEnvironment, ...stateEnvironment(process.env) };
  const chosen = named ?? stack;
  if (isOnCluster(chosen)) requireClusterProvider(toolSource);
  const stackOption = stackOptionFor({
    chosen,
    fromTools: stack,
    hasToolsOption: source !== undefined,
    fromEnvironment: process.env["PULUMI_STACK"],
  });
  const env: NodeJS.ProcessEnv = { ...environment, ...added };
  const backend = chosenBackend(env);
  if (backend !== undefined) removeEmptyAttributes(backend);
  keepStackFile(stackFile(chosen));
  const settingsCopy = writableCopy(chosen, stateFolder(process.env));
  if (settingsCopy !== undefined) env[configFileVariable] = settingsCopy;
  return { toolSource, stack: chosen, stackOption, env, added };
}

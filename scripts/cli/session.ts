import { homedir } from "node:os";
import { join } from "node:path";
import { copyCiConfig } from "../stack/ci-stack.ts";
import { say } from "../../host/progress.ts";
import { setup, type ToolSource } from "../setup/setup.ts";
import { keepStackFile, stackFile } from "../stack/stack-file.ts";
import { currentLogin, stateEnvironment } from "../stack/backend.ts";
import { mendStateFiles, saltOf } from "../stack/backend-files.ts";

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
  /** Arguments that are not ours: handed to the CLI as they are. */
  readonly rest: readonly string[];
}

interface Wanted {
  readonly currentEngine?: boolean;
  /** Whether the CLI is to reckon with the stack's config: what only reads the state needs no key for its secrets. */
  readonly config?: boolean;
}

/** Sets up what is missing. Takes `--stack NAME` and `--world released|built` out of the arguments. */
export async function openSession(
  args: readonly string[],
  { currentEngine = false, config = false }: Wanted = {},
): Promise<Session> {
  const { options, rest } = takeOptions(args, ["stack", "world"]);
  const environment = { ...process.env };
  const named = options["stack"] ?? process.env["PULUMI_STACK"];
  const settings = named === undefined ? undefined : copyCiConfig(named);
  if (settings !== undefined) say(settings);
  const asked = { world: options["world"], stack: named, currentEngine };
  const { world, stack, env: tools } = await setup(asked);
  const pulumiHome = process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
  const added = { ...tools, ...stateEnvironment(process.env, pulumiHome) };
  const chosen = named ?? stack;
  const stackOption = chosen === stack ? "" : ` -- --stack ${chosen}`;
  const env: NodeJS.ProcessEnv = { ...environment, ...added };
  const backend = env["PULUMI_BACKEND_URL"] ?? currentLogin(pulumiHome);
  if (backend !== undefined) mendStateFiles(backend);
  const salt = config && backend !== undefined ? saltOf(chosen, backend) : undefined;
  keepStackFile(stackFile(chosen), salt);
  return { world, stack: chosen, stackOption, env, added, rest };
}

/** Splits "--name value" and "--name=value" off for the names given. */
export function takeOptions(
  args: readonly string[],
  names: readonly string[],
): { options: Readonly<Record<string, string | undefined>>; rest: string[] } {
  const options: Record<string, string> = {};
  const rest: string[] = [];
  for (let i = 0; i < args.length; i += 1) {
    const arg = args[i] ?? "";
    const name = names.find((candidate) => arg === `--${candidate}` || arg.startsWith(`--${candidate}=`));
    if (name === undefined) {
      rest.push(arg);
      continue;
    }
    const equals = arg.indexOf("=");
    const value = equals === -1 ? args[(i += 1)] : arg.slice(equals + 1);
    if (value === undefined || value === "")
      throw new Error(`--${name} needs a value, such as --${name} dev`);
    options[name] = value;
  }
  return { options, rest };
}

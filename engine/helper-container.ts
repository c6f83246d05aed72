import { docker, type EngineAddress } from "./docker-cli.ts";

/** A container with least privileges that runs a program of this project. */
interface HelperContainer {
  /** Source text of the program, an ECMAScript module for Node.js. */
  readonly program: string;
  /** An image with Node.js. */
  readonly image: string;
  readonly user: string;
  /** The network that it joins; none by default. */
  readonly network?: string;
  /** Further options of `docker run`. */
  readonly options: readonly string[];
}

// Includes creating a container.
const endsWithinMs = 60_000;

/** The arguments of Docker's client, which the program's own may follow. */
export function helperArguments({
  program,
  image,
  user,
  network = "none",
  options,
}: HelperContainer): string[] {
  return [
    ...["run", "--rm", ...options, "--network", network, "--entrypoint", "node"],
    ...["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", user],
    // The output of some is a file's content or tunnelled traffic, which must not be logged.
    ...["--memory", "128m", "--pids-limit", "64", "--log-driver", "none"],
    ...[image, "--input-type=module", "--eval", program],
  ];
}

/** Runs the program with arguments and returns its output. @throws EngineError */
export function runHelper(
  helper: HelperContainer,
  args: readonly string[],
  options: { readonly engine?: EngineAddress; readonly input?: string } = {},
): Promise<string> {
  return docker([...helperArguments(helper), ...args], { ...options, withinMs: endsWithinMs });
}

import type { Forwarded } from "./port-forwards.ts";
import type { StackOutputs } from "../stack/outputs.ts";

/** What the way out depends on. */
interface Where {
  readonly stack: string;
  readonly edge?: StackOutputs["edge"];
  /** This machine's by default. */
  readonly platform?: NodeJS.Platform;
}

/**
 * The error of a service that could not be brought to its loopback port: which port, why, and the ways out, in one line.
 * What has nothing to do with the port stays as it is.
 */
export function refusedPort(
  error: unknown,
  { name, port }: Pick<Forwarded, "name" | "port">,
  { stack, edge, platform = process.platform }: Where,
): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const { code } = error as NodeJS.ErrnoException;
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: "in use by another program, perhaps another npm run forward. End that",
    EACCES: `permission denied (EACCES). ${permission(port, platform)}`,
  };
  const reason = reasons[code ?? ""];
  if (reason === undefined) return error;
  const key = `${name}Port`;
  // Public authorities ask at 443 whether a name is the edge's: the config takes no other.
  const another =
    name === "gateway" && edge?.mode === "acme"
      ? ""
      : `, or choose another port: npm run pulumi -- config set --stack ${stack} ${key} NUMBER, then npm run up -- --stack ${stack}`;
  return new Error(`cannot listen on 127.0.0.1:${String(port)} for ${name}: ${reason}${another}`);
}

function permission(port: number, platform: NodeJS.Platform): string {
  return platform === "linux"
    ? `Allow it until the next boot: sudo sysctl net.ipv4.ip_unprivileged_port_start=${String(port)}`
    : "Run this as an administrator";
}

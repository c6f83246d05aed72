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
 * Explains in one line why a service's loopback port could not be bound, and what to do. Returns other errors unchanged.
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
  // The config requires 443 for public authorities, which validate host names on that port.
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

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type EngineAddress, engineHost } from "./docker-cli.ts";

/** Checks environment variables and certificates that would prevent connecting to the configured engine. */
export function checkClientEnvironment({ dockerHost, dockerCertPath }: EngineAddress): string | undefined {
  if (dockerHost === "") return undefined;
  // In the provider, these take precedence over its configuration.
  const overriding = ["DOCKER_CONTEXT", ...(dockerCertPath === "" ? ["DOCKER_CERT_PATH"] : [])];
  const set = overriding.filter((name) => process.env[name] !== undefined && process.env[name] !== "");
  if (set.length > 0)
    return `dockerHost is ${dockerHost}, but ${set.join(" and ")} in the environment would override it: unset ${set.length > 1 ? "them" : "it"}.`;
  if (dockerCertPath === "") return undefined;
  const missing = ["ca.pem", "cert.pem", "key.pem"].filter((file) => !existsSync(join(dockerCertPath, file)));
  if (missing.length === 0) return undefined;
  return `dockerCertPath is ${dockerCertPath}, which lacks ${missing.join(", ")}: add the missing files, or set the correct folder.`;
}

/** Explains in one line which engine does not respond, why, and how to fix it. */
export function explainEngine(address: EngineAddress, message: string): string {
  const host = engineHost(address);
  const why = message.replaceAll(/\s*\n\s*/g, " ").replace(/\.$/, "");
  const [, fix] = fixes.find(([pattern]) => pattern.test(why)) ?? [];
  const which = host === "" ? "The Docker engine" : `The Docker engine at ${host}`;
  const generic =
    address.dockerHost === ""
      ? "Start it (npm run setup does so if it is allowed to), or set DOCKER_HOST to a running one"
      : "Start it, or set another: pulumi config set dockerHost ADDRESS";
  return `${which} does not respond: ${why}. ${fix ?? generic}.`;
}

const fixes: readonly (readonly [RegExp, string])[] = [
  [
    /Permission denied \(|Too many authentication failures/i,
    "Authorize this user's key with ssh-copy-id or an entry in ~/.ssh/config; passwords cannot be entered here",
  ],
  [
    /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/i,
    "Connect once manually with ssh and verify the host's key",
  ],
  [/Could not resolve hostname|no such host|Name or service not known/i, "Check the host name in dockerHost"],
  [
    /docker: (command )?not found|exec: "docker"/i,
    "Install Docker's client on that host too, because ssh runs it there",
  ],
  [
    /permission denied while trying to connect|dial unix.*permission denied/i,
    "That user may not use the engine: add the user to the group docker there",
  ],
  [
    /x509|certificate|tls:/i,
    "Client and engine do not trust each other: dockerCertPath must contain the ca.pem that signed the engine's certificate, and a certificate that the engine's --tlscacert trusts",
  ],
];

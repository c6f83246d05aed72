import { existsSync } from "node:fs";
import { join } from "node:path";
import { type EngineAddress, engineHost } from "./docker-cli.ts";

/** What of the environment or the certificates would keep Docker's client or the provider from the config's engine. */
export function checkClientEnvironment({ dockerHost, dockerCertPath }: EngineAddress): string | undefined {
  if (dockerHost === "") return undefined;
  // The provider lets them win over its configuration.
  const winning = ["DOCKER_CONTEXT", ...(dockerCertPath === "" ? ["DOCKER_CERT_PATH"] : [])];
  const set = winning.filter((name) => process.env[name] !== undefined && process.env[name] !== "");
  if (set.length > 0)
    return `dockerHost is ${dockerHost}, but ${set.join(" and ")} in the environment would win over it: unset it.`;
  if (dockerCertPath === "") return undefined;
  const missing = ["ca.pem", "cert.pem", "key.pem"].filter((file) => !existsSync(join(dockerCertPath, file)));
  if (missing.length === 0) return undefined;
  return `dockerCertPath is ${dockerCertPath}, which lacks ${missing.join(", ")}: put them there, or set the right folder.`;
}

/** One line on an engine that does not respond: which, why, and how to mend it. */
export function explainEngine(address: EngineAddress, said: string): string {
  const host = engineHost(address);
  const why = said.replaceAll(/\s*\n\s*/g, " ").replace(/\.$/, "");
  const [, mend] = mends.find(([pattern]) => pattern.test(why)) ?? [];
  const which = host === "" ? "The Docker engine" : `The Docker engine at ${host}`;
  const generic =
    address.dockerHost === ""
      ? "Start it (npm run setup does, where it may), or point DOCKER_HOST at one"
      : "Start it, or set another: pulumi config set dockerHost ADDRESS";
  return `${which} does not respond: ${why}. ${mend ?? generic}.`;
}

const mends: readonly (readonly [RegExp, string])[] = [
  [
    /Permission denied \(|Too many authentication failures/i,
    "Let this user's key in: ssh-copy-id, or an entry in ~/.ssh/config; nothing can ask for a password here",
  ],
  [
    /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/i,
    "Connect by hand once with ssh and check the key of the host",
  ],
  [
    /Could not resolve hostname|no such host|Name or service not known/i,
    "Check the name of the host in dockerHost",
  ],
  [
    /docker: (command )?not found|exec: "docker"/i,
    "Docker's client has to be installed on that host, too: ssh runs it there",
  ],
  [
    /permission denied while trying to connect|dial unix.*permission denied/i,
    "That user may not use the engine: add it to the group docker there",
  ],
  [
    /x509|certificate|tls:/i,
    "Client and engine do not trust each other: dockerCertPath has to hold the ca.pem that signed the engine's certificate, and a certificate that the engine's --tlscacert trusts",
  ],
];

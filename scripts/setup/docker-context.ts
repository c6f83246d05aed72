import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { tryRun, SetupError } from "../../host/exec.ts";

/** An engine's address, with the TLS settings that Docker's client and the provider need. */
export interface EngineEndpoint {
  readonly host: string;
  readonly tls: Readonly<Record<string, string>>;
}

const context = z.object({
  Endpoints: z.object({
    docker: z.object({ Host: z.string().default(""), SkipTLSVerify: z.boolean().default(false) }),
  }),
  TLSMaterial: z.record(z.string(), z.array(z.string())).nullish(),
  Storage: z.object({ TLSPath: z.string() }),
});

/** The selected Docker context: DOCKER_CONTEXT, else that of `docker context use`; undefined for the default. */
export function chosenContext(): string | undefined {
  const name = process.env["DOCKER_CONTEXT"] ?? configuredContext();
  return name === "" || name === "default" ? undefined : name;
}

function configuredContext(): string | undefined {
  try {
    const config = join(process.env["DOCKER_CONFIG"] ?? join(homedir(), ".docker"), "config.json");
    return (JSON.parse(readFileSync(config, "utf8")) as { currentContext?: string }).currentContext;
  } catch {
    return undefined;
  }
}

/** Reads the endpoint of a context from Docker's client. */
export async function endpointOf(name: string): Promise<EngineEndpoint> {
  const text = await tryRun("docker", ["context", "inspect", "--format", "{{json .}}", name]);
  const endpoint = text === undefined ? undefined : parseContext(text);
  if (endpoint === undefined)
    throw new SetupError(`docker context "${name}" cannot be read: see docker context ls`);
  return endpoint;
}

/** Parses the output of `docker context inspect --format '{{json .}}'`; undefined if it has no address. */
export function parseContext(text: string): EngineEndpoint | undefined {
  const { Endpoints, TLSMaterial, Storage } = context.parse(JSON.parse(text));
  const { Host: host, SkipTLSVerify } = Endpoints.docker;
  if (host === "") return undefined;
  const hasTls = (TLSMaterial?.["docker"] ?? []).length > 0;
  if (!hasTls) return { host, tls: {} };
  // The client stores a context's certificates in a separate folder.
  const folder = join(Storage.TLSPath, "docker");
  return { host, tls: { DOCKER_CERT_PATH: folder, ...(SkipTLSVerify ? {} : { DOCKER_TLS_VERIFY: "1" }) } };
}

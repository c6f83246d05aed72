import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { tryRun, SetupError } from "../../host/exec.ts";

/** Where an engine is, and what besides its address Docker's client and the provider must know to reach it. */
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

/** The chosen Docker context: DOCKER_CONTEXT, else the one of `docker context use`; undefined for the default one. */
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

/** Asks Docker's client for the endpoint of a context. */
export async function endpointOf(name: string): Promise<EngineEndpoint> {
  const text = await tryRun("docker", ["context", "inspect", "--format", "{{json .}}", name]);
  const endpoint = text === undefined ? undefined : parseContext(text);
  if (endpoint === undefined)
    throw new SetupError(`docker context "${name}" cannot be read: see docker context ls`);
  return endpoint;
}

/** From what `docker context inspect --format '{{json .}}'` prints; undefined if it has no address. */
export function parseContext(text: string): EngineEndpoint | undefined {
  const { Endpoints, TLSMaterial, Storage } = context.parse(JSON.parse(text));
  const { Host: host, SkipTLSVerify } = Endpoints.docker;
  if (host === "") return undefined;
  const hasTls = (TLSMaterial?.["docker"] ?? []).length > 0;
  if (!hasTls) return { host, tls: {} };
  // The client keeps the certificates of a context in a folder of its own.
  const folder = join(Storage.TLSPath, "docker");
  return { host, tls: { DOCKER_CERT_PATH: folder, ...(SkipTLSVerify ? {} : { DOCKER_TLS_VERIFY: "1" }) } };
}

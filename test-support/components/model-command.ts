import { execFile } from "node:child_process";
import { afterEach } from "vitest";
import { FakeOllama, type PullBehaviour } from "../fakes/fake-registry-ollama.ts";

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

const servers: FakeOllama[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

/** An Ollama for one test, whose pulls behave as configured. */
export async function fake(...behaviours: PullBehaviour[]) {
  const server = new FakeOllama(...behaviours);
  servers.push(server);
  return { server, url: await server.start() };
}

/** Runs a command of the model component as Pulumi does. */
export function run(
  script: "pull-model" | "delete-model" | "check-gpu-memory",
  environment: Record<string, string>,
): Promise<Result> {
  const defaults = {
    MODEL: "tiny:1b",
    MODEL_SOURCE: "tiny:1b",
    MODEL_INSECURE: "false",
    MODEL_KEEP_SOURCE: "false",
    // Longer than any step takes on a busy machine.
    PULL_STALL_SECONDS: "60",
  };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [`components/commands/${script}.ts`],
      { env: { ...process.env, ...defaults, ...environment } },
      (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout, stderr });
      },
    );
  });
}

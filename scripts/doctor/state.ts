import { accessSync, constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { z } from "zod";
import { ClusterError } from "../../cluster/kubectl.ts";
import { formatBytes } from "../../engine/format-bytes.ts";
import { cliFolder } from "../../toolchain/install.ts";
import { runProcess } from "../../host/run-process.ts";
import { backendFolder, backendUrl } from "../stack/backend-url.ts";
import { chosenBackend, stateFolder } from "../stack/backend.ts";
import { isStale, locksIn } from "../stack/pulumi-cli.ts";
import { clusterOf } from "../stack/cluster-outputs.ts";
import { type Deployment, parseDeployment } from "../stack/deployment.ts";
import { assertSameCluster, OtherCluster } from "../stack/same-cluster.ts";
import type { Settings } from "../stack/settings.ts";
import { stackFile } from "../stack/stack-file.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";

const withinMs = 20_000;

/** Checks state, passphrase and the stack's lock. Creates nothing. */
export async function checkState(
  stack: string,
  settings: Settings,
  environment: NodeJS.ProcessEnv,
): Promise<Finding[]> {
  const folder = stateFolder(environment);
  const own = join(folder, "backend");
  const backend = chosenBackend(environment) ?? (existsSync(own) ? backendUrl(own) : "");
  if (backend === "") return [ok("state", "none yet: nothing was deployed from here")];
  const passphraseFile = environment["PULUMI_CONFIG_PASSPHRASE_FILE"] ?? join(folder, "passphrase");
  const hasVariable = environment["PULUMI_CONFIG_PASSPHRASE"] !== undefined;
  const findings = [
    ok("state", backend),
    existsSync(stackFile(stack))
      ? ok("settings", stackFile(stack))
      : warning("settings", `${stackFile(stack)} is missing`, "Every setting is its default without it."),
    ...checkPassphrase(hasVariable, passphraseFile),
    ...checkLocks(backend),
  ];
  const cli = join(cliFolder(), process.platform === "win32" ? "pulumi.exe" : "pulumi");
  if (!existsSync(cli)) return [...findings, ok("Pulumi CLI", "not installed yet: npm run setup does it")];
  const { code, stdout, stderr } = await runProcess(
    cli,
    ["stack", "export", "--show-secrets", "--stack", stack],
    {
      env: {
        ...environment,
        PULUMI_BACKEND_URL: backend === "https://" ? environment["PULUMI_BACKEND_URL"] : backend,
        PULUMI_SKIP_UPDATE_CHECK: "true",
        ...(hasVariable ? {} : { PULUMI_CONFIG_PASSPHRASE_FILE: passphraseFile }),
        PATH: [cliFolder(), environment["PATH"] ?? ""].join(delimiter),
      },
      timeoutMs: withinMs,
    },
  );
  if (code !== 0) return [...findings, readable(stack, code, stderr)];
  const deployment = parseDeployment(stdout);
  return [
    ...findings,
    readable(stack, code, stderr),
    ...(settings("engine") === "kubernetes" ? await checkPlace(stack, deployment, settings) : []),
    ...checkModels(deployment, Number(settings("ollamaMemoryMiB"))),
  ];
}

/** Checks that the context refers to the stack's cluster. An unreachable cluster is reported elsewhere. */
async function checkPlace(stack: string, deployment: Deployment, settings: Settings): Promise<Finding[]> {
  try {
    await assertSameCluster(stack, deployment, clusterOf(settings, ""));
    return [];
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    const [what = "", todo = ""] = error.message.split(/\. (.*)/s);
    return error instanceof OtherCluster ? [problem("stack", what, todo)] : [];
  }
}

const installed = z.object({
  installedModels: z.array(z.object({ model: z.string(), sizeBytes: z.number() })).min(1),
});

/** Checks that each model fits into Ollama's memory limit; its context needs additional memory. */
function checkModels({ resources }: Deployment, memoryMiB: number): Finding[] {
  const outputs = resources.find(({ type }) => type === "pulumi:pulumi:Stack")?.outputs;
  const models = installed.safeParse(outputs).data?.installedModels ?? [];
  return models.map(({ model, sizeBytes }) => {
    const found = `${model}: ${formatBytes(sizeBytes)} of ${formatBytes(memoryMiB * 1024 * 1024)} (ollamaMemoryMiB)`;
    return sizeBytes < memoryMiB * 1024 * 1024
      ? ok("model", found)
      : warning(
          "model",
          found,
          "Raise ollamaMemoryMiB, or take a smaller model: without GPUs it is killed when it loads.",
        );
  });
}

function readable(stack: string, code: number | null, stderr: string): Finding {
  if (code === 0) return ok("stack", `${stack}: its state can be read, and its secrets opened`);
  if (/no stack named/i.test(stderr)) return ok("stack", `${stack} was never deployed with this state`);
  if (/passphrase/i.test(stderr))
    return problem(
      "stack",
      `${stack}: the passphrase is not the one of its secrets`,
      "Set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the one it was deployed with.",
    );
  const message = stderr.trim().split("\n").at(-1) ?? "";
  return problem(
    "stack",
    `${stack}: its state cannot be read: ${message}`,
    "Check the backend and the login.",
  );
}

function checkPassphrase(hasVariable: boolean, file: string): Finding[] {
  if (hasVariable) return [ok("passphrase", "PULUMI_CONFIG_PASSPHRASE is set")];
  try {
    accessSync(file, constants.R_OK);
    return [ok("passphrase", `in ${file}`)];
  } catch {
    return [
      warning(
        "passphrase",
        `${file} cannot be read`,
        "Without the former one, secrets of deployed stacks cannot be opened: put the file back, or set PULUMI_CONFIG_PASSPHRASE.",
      ),
    ];
  }
}

/** Checks locks of running or killed updates, only for a state in a folder. */
function checkLocks(backend: string): Finding[] {
  const state = backendFolder(backend);
  if (state === undefined) return [];
  const folder = join(state, ".pulumi", "locks");
  if (!existsSync(folder)) return [ok("lock", "none")];
  const locks = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".json"))
    .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Record<string, unknown>)
    .map(
      ({ username, hostname, pid }) =>
        `created by ${String(username)}@${String(hostname)} (pid ${String(pid)})`,
    )
    .flatMap(locksIn);
  if (locks.length === 0) return [ok("lock", "none")];
  return locks.map((lock) => {
    const found = `${lock.user} on ${lock.host}, process ${String(lock.pid)}`;
    return isStale(lock)
      ? warning("lock", `${found}, which is gone`, "The next npm run up clears it.")
      : warning(
          "lock",
          `${found}, is updating a stack`,
          "Wait for it; if it is gone: npm run pulumi -- cancel --stack NAME",
        );
  });
}

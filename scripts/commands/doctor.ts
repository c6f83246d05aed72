// npm run doctor: checks a stack's requirements on this machine and suggests fixes. Changes and installs nothing.
import { command, type OptionsOf } from "../cli/command.ts";
import { checkCluster } from "../doctor/cluster.ts";
import { checkContainers } from "../doctor/containers.ts";
import { checkEngine } from "../doctor/engine.ts";
import { type Finding, format, runChecks } from "../doctor/finding.ts";
import { checkCertificates, checkDisk, checkMachine, checkProxy } from "../doctor/machine.ts";
import { checkSites } from "../doctor/network.ts";
import { checkState } from "../doctor/state.ts";
import { engineEnvironment } from "../../engine/docker-cli.ts";
import { probes } from "../setup/probes.ts";
import { defaultStack, likelyToolSource } from "../setup/tool-source.ts";
import { settingsFor } from "../stack/settings.ts";
import { engineOf, isOnCluster, keepStackFile, stackFile } from "../stack/stack-file.ts";

await command("doctor", async ({ options }) => {
  const stack = options.stack ?? process.env["PULUMI_STACK"] ?? (await stackOfTools(options));
  const environment = { ...process.env };
  const engine = engineOf(stack);
  Object.assign(process.env, engineEnvironment(engine));
  const settings = settingsFor(stack, []);
  // The CLI would add a salt to it.
  keepStackFile(stackFile(stack));
  // Before the checks of the network, which run at the same time as the others.
  const certificates = checkCertificates(settings("trustedCertificates"));
  const checks: Record<string, () => Promise<readonly Finding[]> | readonly Finding[]> = {
    machine: checkMachine,
    disk: checkDisk,
    proxy: () => [...checkProxy(environment), ...certificates],
    ...(isOnCluster(stack)
      ? { cluster: () => checkCluster(stack, settings) }
      : { "Docker engine": () => checkEngine(engine, stack, settings) }),
    network: checkSites,
    state: () => checkState(stack, settings, environment),
    ...(isOnCluster(stack) ? {} : { containers: () => checkContainers(stack) }),
  };
  const findings = await runChecks(checks);
  console.log(options.json === true ? JSON.stringify({ stack, findings }, null, 2) : format(findings));
  if (findings.some(({ state }) => state === "problem")) process.exitCode = 1;
});

/** The stack that `npm run up` would use. */
async function stackOfTools({ tools, world }: OptionsOf<"doctor">): Promise<string> {
  return defaultStack((await likelyToolSource(probes(tools ?? world))) ?? "released");
}

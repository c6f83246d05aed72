// npm run doctor: checks a stack's requirements on this machine and suggests fixes. Changes and installs nothing.
import { command } from "../cli/command.ts";
import { checkCluster } from "../doctor/cluster.ts";
import { checkContainers } from "../doctor/containers.ts";
import { checkEngine } from "../doctor/engine.ts";
import { type Finding, format, runChecks } from "../doctor/finding.ts";
import { checkDisk, checkMachine, checkProxy } from "../doctor/machine.ts";
import { checkSites } from "../doctor/network.ts";
import { checkState } from "../doctor/state.ts";
import { engineEnvironment } from "../../engine/docker-cli.ts";
import { remembered } from "../setup/probes.ts";
import { settingsFor } from "../stack/settings.ts";
import { engineOf, isOnCluster, keepStackFile, stackFile } from "../stack/stack-file.ts";

await command("doctor", async ({ options }) => {
  const source = options.tools ?? options.world ?? remembered();
  const stack = options.stack ?? process.env["PULUMI_STACK"] ?? (source === "built" ? "local" : "dev");
  const environment = { ...process.env };
  const engine = engineOf(stack);
  Object.assign(process.env, engineEnvironment(engine));
  const settings = settingsFor(stack, []);
  // The CLI would add a salt to it.
  keepStackFile(stackFile(stack));
  const checks: Record<string, () => Promise<readonly Finding[]> | readonly Finding[]> = {
    machine: checkMachine,
    disk: checkDisk,
    proxy: () => checkProxy(environment),
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

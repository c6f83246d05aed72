// npm run up: installs what is missing, deploys the stack and shows that it works.
import { queryEngine } from "../../engine/docker-cli.ts";
import { formatBytes } from "../../engine/format-bytes.ts";
import { formatTable } from "../../host/format-table.ts";
import { retryAfterRemovingOrphans } from "../update/orphans.ts";
import { removeBlockingObjects, planRepair } from "../drift/repair.ts";
import { reachableAddress } from "../connect/gateway-request.ts";
import { requestSampleResponse } from "../connect/sample-prompt.ts";
import { retryOnPortConflict } from "../update/port-conflicts.ts";
import { removeObsoleteEdge } from "../update/obsolete-edge.ts";
import { assertStateCurrent } from "../update/current-state.ts";
import { assertSameEngine } from "../update/engine-mismatch.ts";
import { rejectMoveFromCluster, upInCluster } from "../update/cluster-update.ts";
import { rejectDockerOptions } from "../stack/docker-options.ts";
import { isOnCluster } from "../stack/stack-file.ts";
import { readOutputs, type StackOutputs } from "../stack/outputs.ts";
import { previewOptions } from "../stack/cli-options.ts";
import { pulumi } from "../stack/pulumi-cli.ts";
import { openStack } from "../update/recovery.ts";
import { command } from "../cli/command.ts";
import { withStackUrls } from "../connect/with-stack-urls.ts";
import { openSession } from "../cli/session.ts";
import { rulesFor, settingsFor } from "../stack/settings.ts";
import { updateWithOutputs } from "../update/update-events.ts";
import { authorityPath } from "../connect/edge-ca.ts";
import {
  attachedProblem,
  attachedToLeaving,
  disconnectAll,
  isLeaving,
} from "../update/foreign-containers.ts";
import { pullImages } from "../update/pull-images.ts";
import { lockedUpdate } from "../update/locked-update.ts";

await command("up", async ({ options, passed }) => {
  const { stack, stackOption, env: tools } = await openSession(options);
  if (isOnCluster(stack)) {
    rejectDockerOptions(stack, options);
    await upInCluster({ stack, stackOption, env: tools, passed });
    return;
  }
  const env = options["update-models"] === true ? { ...tools, OLLAMA_STACK_UPDATE_MODELS: "true" } : tools;
  const found = await openStack(stack, env, passed);
  rejectMoveFromCluster(found, { stack, stackOption });
  await assertSameEngine(stack, stackOption, found, env);
  const settings = settingsFor(stack, passed);
  const rules = rulesFor(settings);
  // Reports config errors and policy violations before anything is removed.
  const preview = ["preview", "--stack", stack, ...rules, ...previewOptions(passed)];
  const check = () => pulumi(preview, { env, output: "read" });
  await pullImages(settings, env, check);
  const deployment = await removeObsoleteEdge(stack, settings, found, env, check);
  const repair = await planRepair(stack, stackOption, deployment);
  const attached = await attachedToLeaving(
    stack,
    deployment.resources,
    (network) => isLeaving(network, stack, settings) || repair?.replace.includes(network.urn) === true,
    repair?.networks,
  );
  const problem = attachedProblem(attached, `npm run up -- --stack ${stack} --disconnect`);
  if (problem !== undefined && options.disconnect !== true) throw new Error(problem);
  if (attached.length > 0 || (repair?.commands.length ?? 0) > 0) {
    await check();
    await assertStateCurrent(stack, env, deployment);
  }
  await disconnectAll(attached);
  if (repair !== undefined) await removeBlockingObjects(repair);
  const replace = (repair?.replace ?? []).flatMap((urn) => ["--replace", urn]);
  // Refreshes, so that removed or stopped containers are restored; skips it if nothing has changed since the deployment.
  const refresh = repair === undefined && options.refresh !== true ? [] : ["--refresh"];
  // A preview checks the rules before anything changes.
  const checked = rules.length > 0 ? rules : ["--skip-preview"];
  const command = ["up", "--yes", ...refresh, "--suppress-outputs", ...checked, ...replace, ...passed];
  const outputsOfUpdate = await updateWithOutputs((more, added) => {
    const update = () => lockedUpdate([...command, ...more], stack, { ...env, ...added });
    return retryAfterRemovingOrphans(stack, settings, env, () =>
      retryOnPortConflict(stack, settings, update),
    );
  });
  const outputs = outputsOfUpdate ?? (await readOutputs(stack, env));
  const model = outputs.installedModels[0]?.model ?? "";
  const apiKey = process.env["OLLAMA_STACK_API_KEY"];
  const lacksKey = outputs.keysRequired && apiKey === undefined;
  const sample = lacksKey
    ? undefined
    : withStackUrls(outputs, ({ gatewayUrl }) => {
        const isDirect = gatewayUrl === outputs.gatewayUrl;
        const address = isDirect ? reachableAddress(String(settings("gatewayBindAddress"))) : undefined;
        return requestSampleResponse({ gatewayUrl, address, apiKey }, model);
      });
  // The model generates while the table is prepared; a failure is reported after the table.
  sample?.catch(() => undefined);
  console.log(`\n${await table(outputs)}\n`);
  const reply = await sample;
  console.log(
    reply === undefined
      ? "The gateway requires a key: set OLLAMA_STACK_API_KEY to see a sample prompt here.\n"
      : `Sample response from ${model} after ${reply.seconds.toFixed(1)} s:\n\n${quote(reply.text)}\n`,
  );
  if (reply?.untrusted !== undefined)
    console.log(
      `This machine does not trust the certificate of ${outputs.gatewayUrl} (${reply.untrusted}). Make clients trust the authority that issued it.\n`,
    );
  const key = outputs.keysRequired ? ` -H "authorization: Bearer $OLLAMA_STACK_API_KEY"` : "";
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hello!" }] });
  if (String(settings("console")) === "true") console.log(`Console:    ${outputs.gatewayUrl}/console/`);
  console.log(
    `Try it:     curl ${outputs.gatewayUrl}/v1/chat/completions -H 'content-type: application/json'${key} -d '${body}'`,
  );
  if (outputs.edge?.mode === "internal")
    console.log(
      `First:      docker cp ${outputs.edge.container}:${authorityPath} . and make your clients trust it (curl --cacert root.crt)`,
    );
  if (outputs.tunnel?.gateway !== undefined)
    console.log(
      `From here:  npm run forward${stackOption} (while it runs, the gateway is also at the same port of this machine's loopback address)`,
    );
  console.log(`Take down:  npm run destroy${stackOption}`);
});

async function table({
  edge,
  replicas,
  gatewayUrl,
  ollamaUrl,
  installedModels,
}: StackOutputs): Promise<string> {
  const gateway = edge === undefined ? replicas.gateway : [edge.container, ...replicas.gateway];
  const [gatewayStates = "", ollamaStates = ""] = await Promise.all([gateway, replicas.ollama].map(states));
  return formatTable([
    ["SERVICE", "URL", "STATE"],
    [edge === undefined ? "gateway" : "edge, gateway", `${gatewayUrl}/v1`, gatewayStates],
    ["ollama", ollamaUrl, ollamaStates],
    ...installedModels.map(({ model, digest, sizeBytes }) => [
      `model ${model}`,
      `digest ${digest.slice(0, 12)}`,
      formatBytes(sizeBytes),
    ]),
  ]);
}

/** The states of containers, such as "running, running". */
async function states(names: readonly string[]): Promise<string> {
  const text = await queryEngine(["container", "inspect", "--format", "{{.State.Status}}", ...names]);
  return text.trim().split("\n").join(", ");
}

function quote(text: string): string {
  return text
    .trim()
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
}

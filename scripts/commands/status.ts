// npm run status: shows a stack's containers, loaded models, queue and recent errors.
import { gatewayTarget } from "../../cluster/gateway-target.ts";
import { ClusterError } from "../../cluster/kubectl.ts";
import { withForward } from "../../cluster/port-forward.ts";
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";
import {
  type GatewayAddress,
  type GatewayResponse,
  reachableAddress,
  requestGateway,
} from "../connect/gateway-request.ts";
import { withStackUrls } from "../connect/with-stack-urls.ts";
import { parseAlerts } from "../observe/alerts.ts";
import { stackContainers } from "../observe/container-logs.ts";
import { isError } from "../observe/log-line.ts";
import { parseFindings, parseOverview } from "../observe/gateway-view.ts";
import { type LogSource, readLogs } from "../observe/merged-logs.ts";
import { podLogs } from "../observe/pod-logs.ts";
import { podStates } from "../observe/pod-states.ts";
import { formatStatus, parseLoaded, parseQueue, type Status, statesOf } from "../observe/status.ts";
import { openCluster } from "../stack/cluster-outputs.ts";
import { readOutputs } from "../stack/outputs.ts";
import { type Settings, settingsFor } from "../stack/settings.ts";
import { isOnCluster } from "../stack/stack-file.ts";

const withinMs = 5000;
const shownErrors = 5;
const apiKey = process.env["OLLAMA_STACK_API_KEY"];

type StackStatus = Omit<Status, "stack">;

await command("status", async ({ options }) => {
  const { stack, env } = await openSession(options);
  const settings = settingsFor(stack, []);
  const find = isOnCluster(stack) ? findInCluster : findOnEngine;
  const status: Status = { stack, ...(await find(stack, env, settings)) };
  console.log(options.json === true ? JSON.stringify(status, null, 2) : formatStatus(status, Date.now()));
});

async function findOnEngine(stack: string, env: NodeJS.ProcessEnv, settings: Settings): Promise<StackStatus> {
  const outputs = await readOutputs(stack, env);
  const containers = await stackContainers(stack);
  const [states, services, lastErrors] = await Promise.all([
    statesOf(containers),
    withStackUrls(outputs, async ({ gatewayUrl, ollamaUrl, prometheusUrl }) => {
      const isDirect = gatewayUrl === outputs.gatewayUrl;
      const address = isDirect ? reachableAddress(String(settings("gatewayBindAddress"))) : undefined;
      const [view, alerts] = await Promise.all([
        readGateway({ gatewayUrl, address, apiKey }, ollamaUrl),
        prometheusUrl === undefined
          ? undefined
          : orReason(
              () => requestGateway({ gatewayUrl: prometheusUrl }, "/api/v1/alerts", { withinMs }),
              parseAlerts,
            ),
      ]);
      return { ...view, alerts };
    }),
    errorsOf(containers),
  ]);
  return { gatewayUrl: outputs.gatewayUrl, containers: states, ...services, lastErrors };
}

async function findInCluster(
  stack: string,
  env: NodeJS.ProcessEnv,
  settings: Settings,
): Promise<StackStatus> {
  const { outputs, kubectl } = await openCluster(stack, env, settings);
  const [containers, services, lastErrors] = await Promise.all([
    podStates(kubectl, {
      hasSeveralGateways: settings("state") === "redis" || Number(settings("gatewayReplicas")) > 1,
    }),
    gatewayTarget(kubectl)
      .then((target) =>
        withForward(kubectl, target, "http", (gatewayUrl) => readGateway({ gatewayUrl, apiKey })),
      )
      .catch((error: unknown) => {
        // Without a gateway pod there is no view; the pods' states show why.
        if (!(error instanceof ClusterError)) throw error;
        return { queue: error.message, loadedModels: error.message };
      }),
    podLogs(kubectl).then(errorsOf),
  ]);
  return { gatewayUrl: outputs.gatewayUrl, containers, ...services, lastErrors };
}

async function errorsOf(sources: readonly LogSource[]): Promise<Status["lastErrors"]> {
  const lines = await readLogs(sources, { tail: "2000", since: "24h" });
  return lines.filter(isError).slice(-shownErrors);
}

type Gateway = Pick<Status, "queue" | "loadedModels" | "view" | "findings">;

/** @param ollamaUrl direct URL of the first Ollama server, if reachable */
async function readGateway(gateway: GatewayAddress, ollamaUrl?: string): Promise<Gateway> {
  const read = <T>(path: string, parse: (text: string) => T) =>
    orReason(() => requestGateway(gateway, path, { withinMs }), parse);
  const [view, findings] = await Promise.all([
    read("/admin/overview", parseOverview),
    read("/admin/health", parseFindings),
  ]);
  if (typeof view !== "string") {
    const { queue, loadedModels } = view;
    return { queue, loadedModels, view, findings: typeof findings === "string" ? [] : findings };
  }
  // Older gateways have no admin API, and it can be switched off.
  const [queue, loadedModels] = await Promise.all([
    read("/metrics", parseQueue),
    ollamaUrl === undefined
      ? view
      : orReason(() => requestGateway({ gatewayUrl: ollamaUrl }, "/api/ps", { withinMs }), parseLoaded),
  ]);
  return { queue, loadedModels, findings: [] };
}

/** The content of a response, or why there is none. */
async function orReason<T>(
  request: () => Promise<GatewayResponse>,
  read: (text: string) => T,
): Promise<T | string> {
  try {
    const { status, text } = await request();
    if (status === 401 || status === 403)
      return "OLLAMA_STACK_API_KEY must be a key that may read the metrics";
    return status === 200 ? read(text) : `it responds ${String(status)}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

// npm run status: what of a stack runs, which models are loaded, who waits, and what went wrong last.
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";
import { type GatewayResponse, reachableAddress, requestGateway } from "../connect/gateway-request.ts";
import { withStackUrls } from "../connect/with-stack-urls.ts";
import { parseAlerts } from "../observe/alerts.ts";
import { readLogs, stackContainers } from "../observe/container-logs.ts";
import { isError } from "../observe/log-line.ts";
import { parseFindings, parseOverview } from "../observe/gateway-view.ts";
import { formatStatus, parseLoaded, parseQueue, type Status, statesOf } from "../observe/status.ts";
import { readOutputs } from "../stack/outputs.ts";
import { settingsFor } from "../stack/settings.ts";

const withinMs = 5000;
const shownErrors = 5;

await command("status", async ({ options }) => {
  const { stack, env } = await openSession(options);
  const outputs = await readOutputs(stack, env);
  const containers = await stackContainers(stack);
  const settings = settingsFor(stack, []);
  const apiKey = process.env["OLLAMA_STACK_API_KEY"];
  const [states, services, lines] = await Promise.all([
    statesOf(containers),
    withStackUrls(outputs, async ({ gatewayUrl, ollamaUrl, prometheusUrl }) => {
      const isDirect = gatewayUrl === outputs.gatewayUrl;
      const address = isDirect ? reachableAddress(String(settings("gatewayBindAddress"))) : undefined;
      const gateway = { gatewayUrl, address, apiKey };
      const read = <T>(path: string, parse: (text: string) => T) =>
        orReason(() => requestGateway(gateway, path, { withinMs }), parse);
      const [view, findings, alerts] = await Promise.all([
        read("/admin/overview", parseOverview),
        read("/admin/health", parseFindings),
        prometheusUrl === undefined
          ? undefined
          : orReason(
              () => requestGateway({ gatewayUrl: prometheusUrl }, "/api/v1/alerts", { withinMs }),
              parseAlerts,
            ),
      ]);
      if (typeof view !== "string") {
        const { queue, loadedModels } = view;
        return { queue, loadedModels, view, alerts, findings: typeof findings === "string" ? [] : findings };
      }
      // An older gateway has no admin API, another one may have it switched off.
      const [queue, loadedModels] = await Promise.all([
        read("/metrics", parseQueue),
        orReason(() => requestGateway({ gatewayUrl: ollamaUrl }, "/api/ps", { withinMs }), parseLoaded),
      ]);
      return { queue, loadedModels, alerts, findings: [] };
    }),
    readLogs(containers, { tail: "2000", since: "24h" }),
  ]);
  const status: Status = {
    stack,
    gatewayUrl: outputs.gatewayUrl,
    containers: states,
    ...services,
    lastErrors: lines.filter(isError).slice(-shownErrors),
  };
  console.log(options.json === true ? JSON.stringify(status, null, 2) : formatStatus(status, Date.now()));
});

/** What a response says, or why there is none. */
async function orReason<T>(
  request: () => Promise<GatewayResponse>,
  read: (text: string) => T,
): Promise<T | string> {
  try {
    const { status, text } = await request();
    if (status === 401 || status === 403)
      return "OLLAMA_STACK_API_KEY must hold a key that may read the metrics";
    return status === 200 ? read(text) : `it responds ${String(status)}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

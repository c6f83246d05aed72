// The internet of a ReleasedWorld: node main.ts SETTINGS. Prints "ready" when everything listens.
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { serveDns } from "./dns.ts";
import { hubBlobs, hubRegistry, hubTokens, mirror } from "./docker-hub.ts";
import { openJournal } from "./journal.ts";
import { modelBlobs, modelRegistry } from "./ollama-registry.ts";
import { serveProxy } from "./proxy.ts";
import { github, githubAssets, pulumiSite } from "./pulumi-downloads.ts";
import { type Call, sendText } from "./respond.ts";
import {
  companyHosts,
  companyNames,
  type Faults,
  hosts,
  mirrorPort,
  type StandInSettings,
} from "./settings.ts";
import { acmeDirectory, telemetry } from "./company.ts";
import { createSecureContext } from "node:tls";

const settings = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as StandInSettings;
const { address, hub, releases, models } = settings;
const journal = openJournal(settings.journal);
const readFaults = () => JSON.parse(readFileSync(settings.faults, "utf8")) as Faults;

const sites: Readonly<Record<string, (call: Call) => void>> = {
  [hosts.pulumi]: (call) => {
    pulumiSite(call, releases);
  },
  [hosts.github]: (call) => {
    github(call, releases);
  },
  [hosts.githubAssets]: (call) => {
    githubAssets(call, releases);
  },
  [hosts.hub]: (call) => {
    hubRegistry(call, hub);
  },
  [hosts.hubTokens]: hubTokens,
  [hosts.hubBlobs]: (call) => {
    hubBlobs(call, hub);
  },
  [hosts.models]: (call) => {
    modelRegistry(call, models);
  },
  [hosts.modelBlobs]: (call) => {
    modelBlobs(call, models);
  },
  [companyHosts.telemetry]: telemetry,
  [companyHosts.acme]: acmeDirectory,
};

/** Serves a request by its host, and records it in the journal at its end. */
function listener(siteOf: (host: string) => ((call: Call) => void) | undefined): RequestListener {
  return (request, response) => {
    const host = (request.headers.host ?? "").split(":")[0] ?? "";
    const path = decodeURIComponent((request.url ?? "/").split("?")[0] ?? "");
    response.once("close", () => {
      const cut = !response.writableFinished;
      const agent = request.headers["user-agent"] ?? "";
      const method = request.method ?? "";
      journal({ kind: "request", host, method, path, status: response.statusCode, agent, cut });
    });
    serve(siteOf(host), host, path, request, response).catch((error: unknown) => {
      journal({ kind: "error", message: `${host}${path}: ${String(error)}` });
      response.destroy();
    });
  };
}

async function serve(
  site: ((call: Call) => void) | undefined,
  host: string,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const faults = readFaults();
  const call = { request, response, path, faults };
  const delay = faults.delayMs?.[host];
  if (delay !== undefined) await sleep(delay);
  const failure = faults.failing?.[host];
  if (failure !== undefined) sendText(call, failure, `the stand-in fails with ${String(failure)}`);
  else if (site === undefined) sendText(call, 421, `no stand-in for ${host}`);
  else site(call);
}

const read = (path: string) => readFileSync(path, "utf8");
const company = { certificate: read(settings.company.certificate), key: read(settings.company.key) };
const companyContext = createSecureContext({ cert: company.certificate, key: company.key });
const defaultContext = createSecureContext({ cert: read(settings.certificate), key: read(settings.key) });
const tls = createTlsServer(
  {
    SNICallback: (name, done) => {
      done(null, companyNames.has(name) ? companyContext : defaultContext);
    },
  },
  listener((host) => sites[host]),
);
tls.on("tlsClientError", ({ message }) => {
  journal({ kind: "error", message: `TLS: ${message}` });
});
const mirrorServer = createServer(
  listener(() => (call) => {
    mirror(call, hub);
  }),
);
await Promise.all([
  serveDns(address, readFaults, journal),
  serveProxy(
    address,
    settings.inspectedAuthority === undefined
      ? undefined
      : { ...company, trusted: read(settings.inspectedAuthority) },
    journal,
  ),
  new Promise<void>((resolve) => tls.listen(443, address, resolve)),
  new Promise<void>((resolve) => mirrorServer.listen(mirrorPort, address, resolve)),
]);
console.log("ready");

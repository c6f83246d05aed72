import { type EdgeMode, hasTls } from "../../config/edge-modes.ts";

export interface EdgeConfig {
  readonly mode: EdgeMode;
  /** Host names that the edge serves; it rejects any other. Empty with plain HTTP. */
  readonly hostnames: readonly string[];
  /** Addresses of the gateways on the network; the first one gets the requests. */
  readonly gateways: readonly { readonly host: string; readonly port: number }[];
  /** Directory of the ACME authority; empty for Caddy's default public authorities. */
  readonly acmeDirectory: string;
  /** Email address for that authority's warnings; empty for none. */
  readonly acmeEmail: string;
  /** Addresses and networks of proxies in front of the edge, whose X-Forwarded-For is trusted. */
  readonly trustedProxies: readonly string[];
  /** Seconds that a client has to send its request; for a model file, the maximum time without data. */
  readonly bodyTimeoutSeconds: number;
  /** Whether the certificates' folder contains the root certificate of the ACME authority's server. */
  readonly acmeRoot: boolean;
}

/** The edge's name on the network. */
export const edgeHost = "edge";

/** Mount path of the folder of certificates. */
export const certificateFolder = "/certificates";

/**
 * Limit of open files, which bounds connections: each client connection uses one, and another one to a gateway during a
 * request. 256 MiB of memory suffice for this many with maximum headers and a gateway that does not respond.
 */
export const edgeOpenFiles = 1024;

// Exceeds a gateway's limit, so that the gateway's own error comes first.
const bodyMarginSeconds = 5;

/** The edge's configuration, as a Caddyfile. */
export function caddyfile(config: EdgeConfig): string {
  const { mode, hostnames } = config;
  const addresses = hasTls(mode) ? hostnames.map((name) => `https://${name}`) : [":80"];
  return `${block("", globalOptions(config))}\n\n${block(addresses.join(", "), site(config))}\n`;
}

function globalOptions({ mode, hostnames, trustedProxies, ...acme }: EdgeConfig): string[] {
  const [sni] = hostnames;
  return [
    "admin localhost:2019",
    hasTls(mode) ? "auto_https disable_redirects" : "auto_https off",
    "skip_install_trust",
    // Clients that connect to an address send no server name.
    ...(!hasTls(mode) || sni === undefined ? [] : [`default_sni ${sni}`]),
    ...(mode === "acme" && acme.acmeDirectory !== "" ? [`acme_ca ${acme.acmeDirectory}`] : []),
    ...(mode === "acme" && acme.acmeEmail !== "" ? [`email ${acme.acmeEmail}`] : []),
    ...(mode === "acme" && acme.acmeRoot ? [`acme_ca_root ${certificateFolder}/acme-root.pem`] : []),
    block("servers", [
      // Caddy cannot limit the streams of an HTTP/2 connection, each of which may hold a request: 20 connections with
      // 250 streams each took more memory than the edge has. Over HTTP/1.1 the limit of open files bounds them.
      "protocols h1",
      // The same as a gateway's: Node.js' limit.
      "max_header_size 16KB",
      ...(trustedProxies.length === 0
        ? []
        : [`trusted_proxies static ${trustedProxies.join(" ")}`, "trusted_proxies_strict"]),
      // A body timeout here makes Go's server lose track of a body: it holds back an early response until the rest of the
      // body arrives, and has been seen parsing that as the next request. `timeouts` in the route avoids this.
      block("timeouts", ["read_header 10s", "read_body_idle -1s", "idle 1m"]),
    ]),
    block("log", ["output stderr", "format json", "level WARN"]),
  ];
}

function site({ mode, gateways, bodyTimeoutSeconds }: EdgeConfig): string[] {
  const tls: Readonly<Record<EdgeMode, readonly string[]>> = {
    http: [],
    internal: ["tls internal"],
    certificate: [`tls ${certificateFolder}/cert.pem ${certificateFolder}/key.pem`],
    // Port 80 is not published.
    acme: [block("tls", [block("issuer acme", ["disable_http_challenge"])])],
  };
  const to = gateways.map(({ host, port }) => `${host}:${String(port)}`).join(" ");
  const bodySeconds = bodyTimeoutSeconds + bodyMarginSeconds;
  return [
    ...tls[mode],
    accessLog,
    // An orchestrator's probes, every few seconds and without a key.
    "log_skip /health",
    "log_skip /ready",
    "log_skip /v1/health_check",
    block("route", [
      // A model file may take any time as long as data arrives.
      block("timeouts /api/blobs/*", [`read_timeout ${String(bodySeconds)}s`]),
      "@bounded not path /api/blobs/*",
      // The second number is the bytes per extension of the timeout, so large that it is never extended.
      block("timeouts @bounded", [`read_timeout ${String(bodySeconds)}s 1000000000`]),
      // Go's client retries these without a body itself when a reused connection breaks.
      "@replayable method GET HEAD OPTIONS TRACE",
      proxy(`@replayable ${to}`, "off"),
      // It also retries requests with such a header and an empty body. The keep-alive is shorter than a gateway's.
      proxy(to, "30s", ["header_up -Idempotency-Key", "header_up -X-Idempotency-Key"]),
    ]),
    errorResponses,
  ];
}

const accessLog = block("log", [
  "output stdout",
  block("format filter", [
    block("wrap json", ["time_key time", "time_format rfc3339_nano"]),
    block("fields", [
      'request>uri regexp \\?.* ""',
      "request>headers delete",
      "request>tls delete",
      "resp_headers delete",
      "user_id delete",
    ]),
  ]),
]);

/**
 * Sends all requests to the first available gateway, so that its queue, limits and load tracking apply to all of them; the
 * others take over when it is replaced or fails. Responses are passed on, including errors. Only requests that could not
 * be sent, for lack of a connection, are retried, because a request that a gateway has received may be what broke it. The
 * edge therefore buffers no bodies.
 *
 * @param keepAlive how long an idle connection to a gateway stays open, or "off"
 */
function proxy(to: string, keepAlive: string, more: readonly string[] = []): string {
  return block(`reverse_proxy ${to}`, [
    "lb_policy first",
    // Retries for 15 s. lb_try_duration would count from the start of the request.
    "lb_retries 150",
    "lb_try_interval 100ms",
    // By default, Caddy would retry GET too.
    block("lb_retry_match", ["expression false"]),
    "health_uri /accepting",
    "health_interval 1s",
    "health_timeout 2s",
    ...more,
    block("transport http", ["dial_timeout 2s", `keepalive ${keepAlive}`, "compression off", "versions 1.1"]),
    // Clients without a key must not keep connections open.
    "@unauthorized status 401",
    block("handle_response @unauthorized", ["header Connection close", "copy_response"]),
  ]);
}

/** The edge's own errors in OpenAI's format, distinguished by Caddy's error messages. */
const errorResponses = block("handle_errors", [
  "@unsent expression `{err.message}.startsWith('dial ') || {err.status_code} == 503`",
  block("handle @unsent", [
    "header Retry-After 5",
    ...respond(503, gatewayError("No gateway can be reached. Try again.")),
  ]),
  // A timeout of the body; there is none for a gateway's response.
  "@late expression `{err.message}.contains('i/o timeout')`",
  block("handle @late", [
    "header Connection close",
    ...respond(408, {
      message: "The request was not sent in time.",
      type: "invalid_request_error",
      param: null,
      code: "request_timeout",
    }),
  ]),
  block("handle", [
    // Stops the SDKs of OpenAI and Anthropic from resending a request that may have broken the gateway.
    "header X-Should-Retry false",
    ...respond(
      502,
      gatewayError(
        "The gateway's connection broke before it responded. The request may have been processed, and is not sent again.",
      ),
    ),
  ]),
]);

function gatewayError(message: string): object {
  return { message, type: "server_error", param: null, code: "gateway_unreachable" };
}

function respond(status: number, error: object): string[] {
  return [
    "header Content-Type application/json",
    `respond \`${JSON.stringify({ error })}\` ${String(status)}`,
  ];
}

function block(head: string, lines: readonly string[]): string {
  const inner = lines.flatMap((line) => line.split("\n")).map((line) => `\t${line}`);
  return [`${head} {`.trim(), ...inner, "}"].join("\n");
}

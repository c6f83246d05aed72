import { type EdgeMode, hasTls } from "../../config/edge-modes.ts";

export interface EdgeConfig {
  readonly mode: EdgeMode;
  /** Names that clients use; the edge answers to no others. Empty with plain HTTP. */
  readonly hostnames: readonly string[];
  /** Where the gateways answer on the network, the one that gets the requests first. */
  readonly gateways: readonly { readonly host: string; readonly port: number }[];
  /** Directory of the ACME authority; empty means Caddy's own choice of public ones. */
  readonly acmeDirectory: string;
  /** Where that authority sends warnings; empty means nowhere. */
  readonly acmeEmail: string;
  /** Addresses and networks of proxies in front of the edge, whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** Seconds that a gateway gives a client to send its request; of a model's file, that it may send nothing. */
  readonly bodyTimeoutSeconds: number;
  /** Whether the certificates' folder holds the root that the ACME authority's own certificate comes from. */
  readonly acmeRoot: boolean;
}

/** The edge's name on the network. */
export const edgeHost = "edge";

/** Where the folder with given certificates is mounted. */
export const certificateFolder = "/certificates";

/**
 * Files that the edge may have open, which bounds its connections: each of a client takes one, and one more to a gateway
 * while a request is there. 256 MiB hold as many with the largest headers and a gateway that does not respond.
 */
export const edgeOpenFiles = 1024;

// More than a gateway's limit, so that the gateway's own error comes first.
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
    // Who asks by an address names no host.
    ...(!hasTls(mode) || sni === undefined ? [] : [`default_sni ${sni}`]),
    ...(mode === "acme" && acme.acmeDirectory !== "" ? [`acme_ca ${acme.acmeDirectory}`] : []),
    ...(mode === "acme" && acme.acmeEmail !== "" ? [`email ${acme.acmeEmail}`] : []),
    ...(mode === "acme" && acme.acmeRoot ? [`acme_ca_root ${certificateFolder}/acme-root.pem`] : []),
    block("servers", [
      // Caddy cannot limit the streams of an HTTP/2 connection, each of which may hold a request: 20 connections with
      // 250 streams each took more memory than the edge has. Over HTTP/1.1 the limit of open files bounds them.
      "protocols h1",
      // A gateway takes as much: Node.js's limit.
      "max_header_size 16KB",
      ...(trustedProxies.length === 0
        ? []
        : [`trusted_proxies static ${trustedProxies.join(" ")}`, "trusted_proxies_strict"]),
      // A limit for bodies here makes Go's server lose track of a body: it holds an early response back until the rest
      // has come, and was seen to take that for the next request. `timeouts` in the route does not.
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
    // What an orchestrator asks every few seconds, without a key.
    "log_skip /health",
    "log_skip /ready",
    "log_skip /v1/health_check",
    block("route", [
      // A model's file takes as long as it takes, as long as it comes.
      block("timeouts /api/blobs/*", [`read_timeout ${String(bodySeconds)}s`]),
      "@bounded not path /api/blobs/*",
      // The second number has more time given for each GB that has come: none.
      block("timeouts @bounded", [`read_timeout ${String(bodySeconds)}s 1000000000`]),
      // Without a body, Go's client sends these again by itself when a connection breaks that it had used before.
      "@replayable method GET HEAD OPTIONS TRACE",
      proxy(`@replayable ${to}`, "off"),
      // And whatever has such a key and an empty body. Less than a gateway keeps a connection that is not used.
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
 * All requests go to the first gateway that takes them, so that its queue, its limits and what it knows of loads hold for
 * all of them; the others are there for when it is replaced or breaks. What a gateway says, errors too, is passed on.
 * Only a request that could not be sent, for lack of a connection, is sent again: one that a gateway has received may
 * be what broke it. No body is kept in the edge's memory for that.
 *
 * @param keepAlive how long a connection to a gateway is kept for the next request, or "off"
 */
function proxy(to: string, keepAlive: string, more: readonly string[] = []): string {
  return block(`reverse_proxy ${to}`, [
    "lb_policy first",
    // For 15 s: a duration would count from when the request came.
    "lb_retries 150",
    "lb_try_interval 100ms",
    // Without a rule, Caddy would send GET again, too.
    block("lb_retry_match", ["expression false"]),
    "health_uri /accepting",
    "health_interval 1s",
    "health_timeout 2s",
    ...more,
    block("transport http", ["dial_timeout 2s", `keepalive ${keepAlive}`, "compression off", "versions 1.1"]),
    // Who has no key does not keep a connection.
    "@unauthorized status 401",
    block("handle_response @unauthorized", ["header Connection close", "copy_response"]),
  ]);
}

/** The edge's own errors, by what Caddy says of them, in OpenAI's form. */
const errorResponses = block("handle_errors", [
  "@unsent expression `{err.message}.startsWith('dial ') || {err.status_code} == 503`",
  block("handle @unsent", [
    "header Retry-After 5",
    ...respond(503, gatewayError("No gateway can be reached. Try again.")),
  ]),
  // Of the body: a gateway's response has no limit here.
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
    // The SDKs of OpenAI and Anthropic would send again what may have broken the gateway.
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

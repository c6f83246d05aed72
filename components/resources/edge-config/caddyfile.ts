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
  /** Whether the certificates' folder holds the root that the ACME authority's own certificate comes from. */
  readonly acmeRoot: boolean;
}

/** The edge's name on the network. */
export const edgeHost = "edge";

/** Where the folder with given certificates is mounted. */
export const certificateFolder = "/certificates";

// A shorter body is kept, to be sent again when a gateway breaks before it has answered anything. Caddy cannot say what
// it has kept; the length, told or counted, has at most six digits then.
const keptBody = "1MB";
const hasKeptBody = "header_regexp Content-Length `^[0-9]{1,6}$`";

/** The edge's configuration, as a Caddyfile. */
export function caddyfile({ mode, hostnames, gateways, ...acme }: EdgeConfig): string {
  const addresses = !hasTls(mode) ? [":80"] : hostnames.map((name) => `https://${name}`);
  const [sni] = hostnames;
  const global = [
    "admin localhost:2019",
    hasTls(mode) ? "auto_https disable_redirects" : "auto_https off",
    "skip_install_trust",
    // Who asks by an address names no host.
    ...(!hasTls(mode) || sni === undefined ? [] : [`default_sni ${sni}`]),
    ...(mode === "acme" && acme.acmeDirectory !== "" ? [`acme_ca ${acme.acmeDirectory}`] : []),
    ...(mode === "acme" && acme.acmeEmail !== "" ? [`email ${acme.acmeEmail}`] : []),
    ...(mode === "acme" && acme.acmeRoot ? [`acme_ca_root ${certificateFolder}/acme-root.pem`] : []),
    // Streams under way are not cut when the configuration changes.
    block("servers", [
      "protocols h1 h2",
      "max_header_size 32KB",
      block("timeouts", ["read_header 10s", "read_body 1h"]),
    ]),
    block("log", ["output stderr", "format json", "level WARN"]),
  ];
  const tls: Readonly<Record<EdgeMode, readonly string[]>> = {
    http: [],
    internal: ["tls internal"],
    certificate: [`tls ${certificateFolder}/cert.pem ${certificateFolder}/key.pem`],
    // Port 80 is not published.
    acme: [block("tls", [block("issuer acme", ["disable_http_challenge"])])],
  };
  const to = gateways.map(({ host, port }) => `${host}:${String(port)}`).join(" ");
  const site = [
    ...tls[mode],
    // A model's file is neither kept nor hurried.
    block("handle /api/blobs/*", [proxy(to, [])]),
    block("handle", [
      proxy(to, [`request_buffers ${keptBody}`, block("lb_retry_match", ["method POST", hasKeptBody])]),
    ]),
    block("handle_errors", [
      "header Content-Type application/json",
      `respond \`${JSON.stringify(unreachable)}\` {err.status_code}`,
    ]),
  ];
  return `${block("", global)}\n\n${block(addresses.join(", "), site)}\n`;
}

const unreachable = {
  error: {
    message: "No gateway has answered.",
    type: "server_error",
    param: null,
    code: "gateway_unreachable",
  },
};

/**
 * All requests go to the first gateway that takes them, so that its queue, its limits and what it knows of loads hold for
 * all of them; the others are there for when it is replaced or breaks. What a gateway says, errors too, is passed on.
 */
function proxy(to: string, more: readonly string[]): string {
  return block(`reverse_proxy ${to}`, [
    "lb_policy first",
    // For 15 s from when it breaks: a duration would count from when the request came, which may be long before.
    "lb_retries 150",
    "lb_try_interval 100ms",
    // What could not be connected is tried again in any case, what a gateway breaks when it matches; nothing is after
    // the first byte of an answer.
    block("lb_retry_match", ["method GET HEAD DELETE"]),
    "health_uri /accepting",
    "health_interval 1s",
    "health_timeout 2s",
    ...more,
    block("transport http", [
      "dial_timeout 2s",
      // Less than a gateway keeps a connection that is not used.
      "keepalive 30s",
      "compression off",
      "versions 1.1",
    ]),
  ]);
}

function block(head: string, lines: readonly string[]): string {
  const inner = lines.flatMap((line) => line.split("\n")).map((line) => `\t${line}`);
  return [`${head} {`.trim(), ...inner, "}"].join("\n");
}

import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { isRemoteConnection, publishedUrl } from "../../engine/connection.ts";
import { edgePort, hasTls } from "../config/edge-modes.ts";
import {
  caddyfile,
  certificateFolder,
  type EdgeConfig,
  edgeHost,
  edgeOpenFiles,
} from "./edge-config/caddyfile.ts";
import { serviceContainer, type ServiceArgs } from "./container/service-container.ts";

export interface EdgeArgs extends EdgeConfig, ServiceArgs {
  /** Id of Caddy's image. A change replaces the container, the certificates stay. */
  readonly image: pulumi.Output<string>;
  /** Host address that the port is published at. A change replaces the container. */
  readonly bindAddress: string;
  /** Host port. A change replaces the container. */
  readonly port: number;
  /** Folder on the engine's host with cert.pem and key.pem, or acme-root.pem; empty for none. A change replaces it. */
  readonly certificates: string;
  /** Changes with the certificates, so that they are reloaded. Changed in place. */
  readonly certificatesVersion: string;
}

const dataFolder = "/data";

/**
 * Caddy in front of the gateways, which keeps running while they are replaced. Its configuration changes in place without
 * interrupting requests, and is kept in its volume for its next start.
 */
export class Edge extends pulumi.ComponentResource {
  readonly containerName: pulumi.Output<string>;
  /** The published URL as seen from the engine's host. Resolves once it is ready. */
  readonly url: pulumi.Output<string>;

  constructor(name: string, args: EdgeArgs, opts?: pulumi.ComponentResourceOptions) {
    // An unknown input of a component would delay all its children.
    const { network, image, ...known } = args;
    super("ollama-stack:index:Edge", name, { ...known, networkName: network.name }, opts);
    const volume = new docker.Volume(
      `${name}-data`,
      { name: `${args.containerName}-data` },
      { parent: this },
    );
    const url = edgeUrl(args);
    const { container, ready } = serviceContainer(
      name,
      {
        name: args.containerName,
        image,
        command: ["caddy", "run", "--resume"],
        environment: { XDG_DATA_HOME: dataFolder, XDG_CONFIG_HOME: configFolder(args) },
        network: { name: network.networkName, aliases: [edgeHost, ...args.hostnames.filter(isName)] },
        port: { internal: edgePort(args.mode), external: args.port, address: args.bindAddress },
        // Root with only this capability, which the official image's program carries and cannot start without.
        volumes: [{ name: volume.name, path: dataFolder }],
        capabilities: ["CAP_NET_BIND_SERVICE"],
        ...(args.certificates === ""
          ? {}
          : { folder: { source: args.certificates, path: certificateFolder } }),
        ready: {
          create: "node components/commands/load-edge.ts",
          configures: true,
          environment: {
            EDGE_CONFIG: caddyfile(args),
            EDGE_CERTIFICATES: args.certificatesVersion,
            // A remote engine's ports cannot be checked from here; the gateways' readiness was checked inside.
            ...(isRemoteConnection(args.access)
              ? {}
              : { READY_URL: publishedUrl(args.access, args.bindAddress, args.port) }),
            // The server name to send, because the name may not resolve to this edge from here, or not yet.
            ...(!hasTls(args.mode) ? {} : { EDGE_NAME: args.hostnames[0] ?? "" }),
          },
        },
        trust: args.trust,
        readyTimeoutSeconds: args.readyTimeoutSeconds,
        stopGraceSeconds: 10,
        limits: { ...args.limits, openFiles: edgeOpenFiles },
        access: args.access,
      },
      this,
    );
    this.containerName = container.name;
    this.url = ready.id.apply(() => url);
    this.registerOutputs({ containerName: this.containerName, url: this.url });
  }
}

/**
 * Folder of the configuration that Caddy resumes, separate for each mode: another mode's configuration may refer to files
 * that the container does not have, and Caddy would not start.
 */
function configFolder({ mode, certificates }: EdgeArgs): string {
  return `${dataFolder}/config-${mode}${certificates === "" ? "" : "-with-files"}`;
}

/** The URL for clients, with the first host name if there is one. */
function edgeUrl({ access, mode, hostnames, bindAddress, port }: EdgeArgs): string {
  const [host] = hostnames;
  if (!hasTls(mode) || host === undefined) return publishedUrl(access, bindAddress, port);
  return `https://${host}${port === 443 ? "" : `:${String(port)}`}`;
}

/** Whether a host name can be a network alias, which addresses cannot. */
function isName(hostname: string): boolean {
  return hostname !== "localhost" && !/^[\d.]+$|:/.test(hostname);
}

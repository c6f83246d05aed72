import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { type Connection, isRemoteConnection, publishedUrl } from "../../engine/connection.ts";
import { edgePort, hasTls } from "../config/edge-modes.ts";
import {
  caddyfile,
  certificateFolder,
  type EdgeConfig,
  edgeHost,
  edgeOpenFiles,
} from "./edge-config/caddyfile.ts";
import type { TrustedCertificates } from "../planning/trusted-certificates.ts";
import type { NetworkToJoin } from "./network.ts";
import { serviceContainer, type ContainerLimits } from "./container/service-container.ts";

export interface EdgeArgs extends EdgeConfig {
  /** Certificates that it trusts besides what its image does. A change replaces the containers. */
  readonly trust?: TrustedCertificates | undefined;
  /** Id of Caddy's image. A change replaces the container, the certificates stay. */
  readonly image: pulumi.Output<string>;
  /** Name of the container and, with "-data" behind it, of the volume. A change replaces both. */
  readonly containerName: string;
  /** Network to join, under the alias `edgeHost`. A change replaces the container. */
  readonly network: NetworkToJoin;
  /** Host address that the port is published at. A change replaces the container. */
  readonly bindAddress: string;
  /** Host port. A change replaces the container. */
  readonly port: number;
  /** Folder of the engine's host with cert.pem and key.pem, or acme-root.pem; empty for none. A change replaces it. */
  readonly certificates: string;
  /** Changes when the certificates change, so that they are loaded again. Changed in place. */
  readonly certificatesVersion: string;
  /** Seconds until an update gives up waiting for the edge. */
  readonly readyTimeoutSeconds: number;
  readonly limits: ContainerLimits;
  /** How commands reach it. */
  readonly access: Connection;
}

const dataFolder = "/data";

/**
 * What stands in front of the gateways and stays while they are replaced: Caddy. How it is configured is changed in
 * place, without a request being cut, and kept in its volume for its next start.
 */
export class Edge extends pulumi.ComponentResource {
  readonly containerName: pulumi.Output<string>;
  /** Where its port is published, seen from the engine's host. Known only once it is ready. */
  readonly url: pulumi.Output<string>;

  constructor(name: string, args: EdgeArgs, opts?: pulumi.ComponentResourceOptions) {
    // An input of a component that is not known yet would keep all that is in it waiting.
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
        // Root without a capability but this one: the official image's program has it, and would not start without.
        volumes: [{ name: volume.name, path: dataFolder }],
        capabilities: ["CAP_NET_BIND_SERVICE"],
        ...(args.certificates === ""
          ? {}
          : { folder: { source: args.certificates, path: certificateFolder } }),
        ready: {
          create: "node components/commands/load-edge.ts",
          environment: {
            EDGE_CONFIG: caddyfile(args),
            EDGE_CERTIFICATES: args.certificatesVersion,
            // A remote engine's ports are not this host's; what the edge leads to was waited for inside.
            ...(isRemoteConnection(args.access)
              ? {}
              : { READY_URL: publishedUrl(args.access, args.bindAddress, args.port) }),
            // By which name, for that may lead here only for others, or not yet.
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
 * Where Caddy keeps what it resumes. A mode has its own: what another one left may name files that the container does not
 * have, and Caddy would not start.
 */
function configFolder({ mode, certificates }: EdgeArgs): string {
  return `${dataFolder}/config-${mode}${certificates === "" ? "" : "-with-files"}`;
}

/** Where clients reach an edge: by the first of its names, when it has any. */
function edgeUrl({ access, mode, hostnames, bindAddress, port }: EdgeArgs): string {
  const [host] = hostnames;
  if (!hasTls(mode) || host === undefined) return publishedUrl(access, bindAddress, port);
  return `https://${host}${port === 443 ? "" : `:${String(port)}`}`;
}

/** Not an address: those are no names in a network. */
function isName(hostname: string): boolean {
  return hostname !== "localhost" && !/^[\d.]+$|:/.test(hostname);
}

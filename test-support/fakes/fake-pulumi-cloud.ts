import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { createGunzip } from "node:zlib";

const account = "ada";

/** The part of Pulumi Cloud that the CLI uses, for an account without stacks. Stores created stacks, but no updates. */
export class FakePulumiCloud {
  /** `ORGANIZATION/PROJECT/STACK` of the created stacks. */
  readonly stacks = new Set<string>();
  /** Requests that the fake does not support. */
  readonly unknown: string[] = [];
  readonly #server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    const body = headers["content-encoding"] === "gzip" ? request.pipe(createGunzip()) : request;
    void json(body)
      .catch(() => ({}))
      .then((sent) => {
        const [path = ""] = url.split("?");
        const found = this.#respond(method, path, sent as Record<string, string>);
        response.writeHead(found === undefined ? 404 : 200, { "content-type": "application/json" });
        response.end(JSON.stringify(found ?? { code: 404, message: "Not Found" }));
      });
  });

  static async start(): Promise<FakePulumiCloud> {
    const cloud = new FakePulumiCloud();
    cloud.#server.listen(0, "127.0.0.1");
    await once(cloud.#server, "listening");
    return cloud;
  }

  /** The value for PULUMI_API. */
  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Returns undefined for 404. */
  #respond(method: string, path: string, sent: Readonly<Record<string, string>>): object | undefined {
    if (path === "/api/user") return { githubLogin: account, name: account, organizations: [] };
    if (path === "/api/user/organizations/default") return { gitHubLogin: account };
    if (path === "/api/capabilities") return { capabilities: [] };
    const [, stack = "", rest = ""] =
      /^\/api\/stacks\/([^/]+\/[^/]+(?:\/[^/]+)?)(?:\/(.+))?$/.exec(path) ?? [];
    const [orgName = "", projectName = "", stackName = ""] = stack.split("/");
    if (stackName === "" && method === "POST") {
      this.stacks.add(`${stack}/${sent["stackName"] ?? ""}`);
      return {};
    }
    if (!this.stacks.has(stack)) return undefined;
    switch (rest) {
      case "":
        return { orgName, projectName, stackName, tags: {}, version: 0 };
      case "export":
        return {
          version: 3,
          deployment: { manifest: { time: "2026-01-01T00:00:00Z", magic: "", version: "" }, resources: [] },
        };
      case "updates":
        return { updates: [] };
      case "encrypt":
        return { ciphertext: sent["plaintext"] };
      case "preview":
      case "update":
        return { updateID: "1", requiredPolicies: [] };
      case "update/1":
        return { version: 1, token: "lease", tokenExpiration: Math.floor(Date.now() / 1000) + 3600 };
      case "update/1/events/batch":
      case "update/1/checkpoint":
      case "update/1/complete":
        return {};
      default:
        this.unknown.push(`${method} ${path}`);
        return undefined;
    }
  }
}

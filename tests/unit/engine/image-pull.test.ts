import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pullImage, PullProgress } from "../../../engine/image-pull.ts";

const folder = mkdtempSync(join(tmpdir(), "ollama-stack-pull-"));
const socket = join(folder, "engine.sock");
let respond: (request: IncomingMessage, response: ServerResponse) => void;
const engine = createServer((request, response) => {
  respond(request, response);
});

beforeEach(() => new Promise<void>((resolve) => engine.listen(socket, resolve)));
afterEach(() => new Promise((resolve) => engine.close(resolve)));
afterEach(() => {
  rmSync(socket, { force: true });
});

const image = { name: "ollama/ollama", reference: "0.17.4", platform: "", account: undefined };
const event = (value: unknown) => `${JSON.stringify(value)}\r\n`;

describe("a pull through the engine's API", () => {
  it("sends image, platform and account, and reports the downloaded size", async () => {
    let seen: IncomingMessage | undefined;
    respond = (request, response) => {
      seen = request;
      const layer = {
        status: "Downloading",
        id: "a",
        progressDetail: { current: 500_000, total: 2_000_000 },
      };
      response.write(event({ status: "Pulling from ollama/ollama", id: "0.17.4" }));
      // An event may arrive in two chunks.
      response.write(event(layer).slice(0, 20));
      response.end(event(layer).slice(20) + event({ status: "Download complete", id: "a" }));
    };
    const reports: string[] = [];
    const account = { username: "ada", password: "secret" };
    await pullImage(socket, { ...image, platform: "linux/arm64", account }, (text) => reports.push(text));
    expect(seen?.method).toBe("POST");
    expect(seen?.url).toBe("/images/create?fromImage=ollama%2Follama&tag=0.17.4&platform=linux%2Farm64");
    const auth = Buffer.from(String(seen?.headers["x-registry-auth"]), "base64url").toString("utf8");
    expect(JSON.parse(auth)).toEqual(account);
    expect(reports.at(-1)).toMatch(/^2\.0 MB of 2\.0 MB/);
  });

  it("fails with the engine's reason, from the response's status or from the progress stream", async () => {
    respond = (_, response) => {
      response.end(event({ status: "Pulling" }) + event({ error: "toomanyrequests: slow down" }));
    };
    await expect(pullImage(socket, image, () => undefined)).rejects.toThrow("toomanyrequests: slow down");
    respond = (_, response) => {
      response.writeHead(404).end(event({ message: "manifest unknown" }));
    };
    await expect(pullImage(socket, image, () => undefined)).rejects.toThrow("manifest unknown");
  });
});

it("the progress adds up the layers and includes a rate", () => {
  let now = 0;
  const progress = new PullProgress(() => now);
  expect(progress.summary()).toBe("");
  progress.take({ status: "Downloading", id: "a", progressDetail: { current: 1_000_000, total: 4_000_000 } });
  progress.take({ status: "Downloading", id: "b", progressDetail: { current: 1_000_000, total: 6_000_000 } });
  now = 4000;
  expect(progress.summary()).toBe("2.0 MB of 10.0 MB, 500.0 kB/s");
});

import { execFile } from "node:child_process";
import { afterEach, describe, expect, it } from "vitest";
import { FakeOllama, type PullBehaviour } from "./fake-registry-ollama.ts";

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

const servers: FakeOllama[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function fake(...behaviours: PullBehaviour[]) {
  const server = new FakeOllama(...behaviours);
  servers.push(server);
  return { server, url: await server.start() };
}

/** Runs a command of the model component as Pulumi does. */
function run(script: "pull-model" | "delete-model", environment: Record<string, string>): Promise<Result> {
  const defaults = {
    MODEL: "tiny:1b",
    MODEL_SOURCE: "tiny:1b",
    MODEL_INSECURE: "false",
    MODEL_KEEP_SOURCE: "false",
    PULL_STALL_SECONDS: "1",
  };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [`components/commands/${script}.ts`],
      { env: { ...process.env, ...defaults, ...environment } },
      (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout, stderr });
      },
    );
  });
}

const layer = (completed: number) => ({
  status: "pulling abcdef",
  digest: "sha256:abcdef",
  total: 100,
  completed,
});
const success = { status: "success" };

describe("pulling a model", () => {
  it("prints progress about every 5 % and, alone on stdout, what Ollama then lists", async () => {
    const percents = Array.from({ length: 101 }, (_, i) => layer(i));
    const { url } = await fake({
      lines: [{ status: "pulling manifest" }, ...percents, success],
      then: "end",
    });
    const { code, stdout, stderr } = await run("pull-model", { OLLAMA_URL: url });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ name: "tiny:1b", digest: "d".repeat(64), size: 1_500_000_000 });
    expect(stderr.match(/ % of /g)).toHaveLength(21);
    expect(stderr).toContain("abcdef: 35 % of 100 B");
  });

  it("costs nothing when the model is there", async () => {
    const { server, url } = await fake();
    server.models.set("tiny:1b", { digest: "e".repeat(64), size: 5 });
    const { stdout } = await run("pull-model", { OLLAMA_URL: url });
    expect(JSON.parse(stdout)).toMatchObject({ digest: "e".repeat(64) });
    expect(server.pulls).toEqual([]);
  });

  it("starts a pull again whose connection drops", async () => {
    const { server, url } = await fake(
      { lines: [layer(10), layer(30)], then: "cut" },
      { lines: [layer(100), success], then: "end" },
    );
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: url });
    expect(code).toBe(0);
    expect(server.pulls).toHaveLength(2);
    expect(stderr).toContain("trying again in 1 s, what was loaded is kept");
  });

  it("starts a pull again that ends without success, which Ollama's clients take for one", async () => {
    const { server, url } = await fake(
      { lines: [layer(50)], then: "end" },
      { lines: [success], then: "end" },
    );
    expect((await run("pull-model", { OLLAMA_URL: url })).code).toBe(0);
    expect(server.pulls).toHaveLength(2);
  });

  it("starts a pull again that stalls, even when Ollama goes on repeating the line", async () => {
    const { server, url } = await fake(
      { lines: [layer(20), layer(20), layer(20)], then: "hang" },
      { lines: [success], then: "end" },
    );
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: url });
    expect(code).toBe(0);
    expect(stderr).toContain("no progress for 1 s");
    expect(server.pulls).toHaveLength(2);
  });

  it("gives up, saying why, when no attempt gets any further", { timeout: 40_000 }, async () => {
    const refused = {
      lines: [{ error: "max retries exceeded: dial tcp: connection refused" }],
      then: "end",
    } as const;
    const { server, url } = await fake(...Array.from({ length: 9 }, () => refused));
    const { code, stdout, stderr } = await run("pull-model", { OLLAMA_URL: url });
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(server.pulls).toHaveLength(5);
    expect(stderr).toMatch(
      /Model tiny:1b: pulling tiny:1b failed 5 times without any progress.*connection refused/,
    );
  });

  it.each([
    [
      "pull model manifest: file does not exist",
      /the registry does not have the model tiny:1b.*Check its name and tag/,
    ],
    [
      "write /root/.ollama/models/blobs/x: no space left on device",
      /the disk of the Docker engine is full.*docker system df/,
    ],
    ["http: server gave HTTP response to HTTPS client", /speaks plain HTTP.*insecure: true/],
  ])("fails at once and says what to do when Ollama says: %s", async (error, expected) => {
    const { server, url } = await fake({ lines: [{ error }], then: "end" });
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: url });
    expect(code).toBe(1);
    expect(stderr).toMatch(expected);
    expect(server.pulls).toHaveLength(1);
  });

  it("fails at once when Ollama refuses the name", async () => {
    const { url } = await fake({ status: 400, error: "invalid model name" });
    expect((await run("pull-model", { OLLAMA_URL: url })).stderr).toContain(
      "Ollama refuses to pull tiny:1b: invalid model name",
    );
  });

  it("gives a model from another registry its short name, and only that", async () => {
    const { server, url } = await fake();
    const source = "registry:5000/library/tiny:1b";
    const { code } = await run("pull-model", {
      OLLAMA_URL: url,
      MODEL_SOURCE: source,
      MODEL_INSECURE: "true",
    });
    expect(code).toBe(0);
    expect(server.pulls).toEqual([{ model: source, insecure: true }]);
    expect([...server.models.keys()]).toEqual(["tiny:1b"]);
  });

  it("keeps the source beside the model when it is a model of the stack too", async () => {
    const { server, url } = await fake();
    await run("pull-model", { OLLAMA_URL: url, MODEL_SOURCE: "other:2b", MODEL_KEEP_SOURCE: "true" });
    expect([...server.models.keys()].sort()).toEqual(["other:2b", "tiny:1b"]);
  });

  it("says so when Ollama does not answer", { timeout: 40_000 }, async () => {
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: "http://127.0.0.1:1" });
    expect(code).toBe(1);
    expect(stderr).toMatch(/Model tiny:1b: .*(does not answer|ECONNREFUSED)/);
  });
});

describe("deleting a model", () => {
  it("deletes it, and finds nothing to do the second time", async () => {
    const { server, url } = await fake();
    server.models.set("tiny:1b", { digest: "e", size: 5 });
    expect((await run("delete-model", { OLLAMA_URL: url })).stdout).toBe("tiny:1b is deleted\n");
    expect(await run("delete-model", { OLLAMA_URL: url })).toMatchObject({
      code: 0,
      stdout: "tiny:1b was not there\n",
    });
    expect(server.models.size).toBe(0);
  });

  it("keeps nobody from taking the stack down when the server is gone", async () => {
    const { code, stderr } = await run("delete-model", { OLLAMA_URL: "http://127.0.0.1:1" });
    expect(code).toBe(0);
    expect(stderr).toContain("stays in its volume");
  });
});

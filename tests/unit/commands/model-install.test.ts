import { describe, expect, it } from "vitest";
import { parseRecord } from "../../../components/config/models/model-record.ts";
import { fake, run } from "../../../test-support/components/model-command.ts";

const layer = (percent: number) => ({
  status: "pulling abcdef",
  digest: "sha256:abcdef",
  total: 100_000_000,
  completed: percent * 1_000_000,
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
    expect(JSON.parse(stdout)).toEqual({
      name: "tiny:1b",
      digest: "d".repeat(64),
      size: 1_500_000_000,
      source: "tiny:1b",
      sourceDigest: "d".repeat(64),
      changes: "",
    });
    expect(stderr.match(/ % of /g)).toHaveLength(21);
    expect(stderr).toContain("abcdef: 35 % of 100.0 MB");
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
    expect(stderr).toContain("retrying in 1 s, downloaded data is kept");
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
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: url, PULL_STALL_SECONDS: "1" });
    expect(code).toBe(0);
    expect(stderr).toContain("no progress for 1 s");
    // On a busy machine the second may seem to stall, too.
    expect(server.pulls.length).toBeGreaterThan(1);
  });

  it("gives up, saying why, when no attempt gets any further", { timeout: 60_000 }, async () => {
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
      /Model tiny:1b: pulling tiny:1b failed 5 times without progress.*connection refused/,
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
    ["http: server gave HTTP response to HTTPS client", /uses plain HTTP.*insecure: true/],
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
      "Ollama rejected the pull of tiny:1b: invalid model name",
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

  it("says so when Ollama does not respond", { timeout: 60_000 }, async () => {
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: "http://127.0.0.1:1" });
    expect(code).toBe(1);
    expect(stderr).toMatch(/Model tiny:1b: .*(does not respond|ECONNREFUSED)/);
  });
});

describe("a model that was installed before", () => {
  /** Installs a model, as another update did before. */
  async function installed(environment: Record<string, string> = {}) {
    const { server, url } = await fake();
    const { stdout } = await run("pull-model", { OLLAMA_URL: url, ...environment });
    server.pulls.length = 0;
    server.changes.length = 0;
    const again = (changed: Record<string, string> = {}) =>
      run("pull-model", { OLLAMA_URL: url, PULUMI_COMMAND_STDOUT: stdout, ...environment, ...changed });
    return { server, record: parseRecord(stdout), again };
  }

  it("is left alone while it is what it was", async () => {
    const { server, record, again } = await installed();
    const { stdout } = await again({ PULL_STALL_SECONDS: "2" });
    expect(parseRecord(stdout)).toEqual(record);
    expect(server.pulls).toEqual([]);
  });

  it("is pulled again when somebody replaced it", async () => {
    const { server, record, again } = await installed();
    server.models.set("tiny:1b", { digest: "f".repeat(64), size: 5 });
    expect(parseRecord((await again()).stdout)).toEqual(record);
    expect(server.pulls).toHaveLength(1);
  });

  it("is pulled again when that is asked for, once for each request", async () => {
    const { server, again } = await installed();
    server.registryDigest = "9".repeat(64);
    const asked = { MODEL_REQUEST: "today its tag moved" };
    const { stdout } = await again(asked);
    expect(parseRecord(stdout)).toMatchObject({ sourceDigest: "9".repeat(64), request: asked.MODEL_REQUEST });
    await again({ ...asked, PULUMI_COMMAND_STDOUT: stdout });
    expect(server.pulls).toHaveLength(1);
  });

  it("answers until its successor from another source is there, and leaves no name behind", async () => {
    const { server, record, again } = await installed();
    server.loaded.set("tiny:1b", undefined);
    server.registryDigest = "9".repeat(64);
    const source = "registry:5000/library/other:1b";
    const { stdout } = await again({ MODEL_SOURCE: source });
    expect(parseRecord(stdout)).toMatchObject({ source, digest: "9".repeat(64) });
    const superseded = `superseded:${String(record?.digest.slice(0, 12))}`;
    expect(server.changes).toEqual([
      "unload tiny:1b",
      `copy tiny:1b ${superseded}`,
      `copy ${source} tiny:1b`,
      `delete ${superseded}`,
      `delete ${source}`,
    ]);
    expect([...server.models.keys()]).toEqual(["tiny:1b"]);
  });

  it("is made anew from its source when its parameters change", async () => {
    const { server, again } = await installed();
    const changes = { parameters: { temperature: 0.1 }, system: "You are terse." };
    const { stdout } = await again({ MODEL_CHANGES: JSON.stringify(changes) });
    expect(server.pulls).toHaveLength(1);
    expect(server.creations).toEqual([{ model: "tiny:1b", from: "tiny:1b", ...changes, stream: true }]);
    expect(parseRecord(stdout)).toMatchObject({
      sourceDigest: "d".repeat(64),
      changes: JSON.stringify(changes),
    });
  });
});

describe("a pinned model", () => {
  it("that the registry has otherwise is refused, and does not stay", async () => {
    const { server, url } = await fake();
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: url, MODEL_DIGEST: "1".repeat(64) });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /registry's tiny:1b has the digest d{64}, but 1{64} is pinned: it was deleted again/,
    );
    expect([...server.models.keys()]).toEqual([]);
    expect(server.pulls).toHaveLength(1);
  });

  it("is pulled when another has its name", async () => {
    const { server, url } = await fake();
    server.models.set("tiny:1b", { digest: "f".repeat(64), size: 5 });
    const { code } = await run("pull-model", { OLLAMA_URL: url, MODEL_DIGEST: "d".repeat(64) });
    expect(code).toBe(0);
    expect(server.pulls).toHaveLength(1);
  });
});

describe("deleting a model", () => {
  it("deletes it, and finds nothing to do the second time", async () => {
    const { server, url } = await fake();
    server.models.set("tiny:1b", { digest: "e", size: 5 });
    expect((await run("delete-model", { OLLAMA_URL: url })).stdout).toBe("tiny:1b is deleted\n");
    expect(await run("delete-model", { OLLAMA_URL: url })).toMatchObject({
      code: 0,
      stdout: "tiny:1b did not exist\n",
    });
    expect(server.models.size).toBe(0);
  });

  it("tries again when another deletion at the same time was in its way", async () => {
    const { server, url } = await fake();
    server.models.set("tiny:1b", { digest: "e", size: 5 });
    server.deletionErrors.push("lstat manifests/library/tiny: no such file or directory");
    expect(await run("delete-model", { OLLAMA_URL: url })).toMatchObject({
      code: 0,
      stdout: "tiny:1b is deleted\n",
    });
    expect(server.changes).toEqual(["delete tiny:1b", "delete tiny:1b"]);
  });

  it("fails and says why when Ollama goes on failing", async () => {
    const { server, url } = await fake();
    server.deletionErrors.push(...Array.from({ length: 9 }, () => "disk is read-only"));
    const { code, stderr } = await run("delete-model", { OLLAMA_URL: url });
    expect([code, stderr]).toEqual([1, expect.stringContaining("cannot delete tiny:1b: disk is read-only")]);
    expect(server.changes).toHaveLength(5);
  });

  it("keeps nobody from taking the stack down when the server is gone", async () => {
    const { code, stderr } = await run("delete-model", { OLLAMA_URL: "http://127.0.0.1:1" });
    expect(code).toBe(0);
    expect(stderr).toContain("stays in its volume");
  });
});

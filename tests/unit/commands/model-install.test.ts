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
  it("prints progress every 5 % to stderr and only the record of the model to stdout", async () => {
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

  it("is skipped if the model is installed", async () => {
    const { server, url } = await fake();
    server.models.set("tiny:1b", { digest: "e".repeat(64), size: 5 });
    const { stdout } = await run("pull-model", { OLLAMA_URL: url });
    expect(JSON.parse(stdout)).toMatchObject({ digest: "e".repeat(64) });
    expect(server.pulls).toEqual([]);
  });

  it("is retried if the connection drops", async () => {
    const { server, url } = await fake(
      { lines: [layer(10), layer(30)], then: "cut" },
      { lines: [layer(100), success], then: "end" },
    );
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: url });
    expect(code).toBe(0);
    expect(server.pulls).toHaveLength(2);
    expect(stderr).toContain("retrying in 1 s, downloaded data is kept");
  });

  it("is retried if the stream ends without a success status, which Ollama's clients accept", async () => {
    const { server, url } = await fake(
      { lines: [layer(50)], then: "end" },
      { lines: [success], then: "end" },
    );
    expect((await run("pull-model", { OLLAMA_URL: url })).code).toBe(0);
    expect(server.pulls).toHaveLength(2);
  });

  it("is retried if it stalls, even if Ollama keeps repeating the same line", async () => {
    const { server, url } = await fake(
      { lines: [layer(20), layer(20), layer(20)], then: "hang" },
      { lines: [success], then: "end" },
    );
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: url, PULL_STALL_SECONDS: "1" });
    expect(code).toBe(0);
    expect(stderr).toContain("no progress for 1 s");
    // On a busy machine the second attempt may seem to stall, too.
    expect(server.pulls.length).toBeGreaterThan(1);
  });

  it("fails with the reason after several attempts without progress", { timeout: 60_000 }, async () => {
    const failedPull = {
      lines: [{ error: "max retries exceeded: dial tcp: connection refused" }],
      then: "end",
    } as const;
    const { server, url } = await fake(...Array.from({ length: 9 }, () => failedPull));
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
      /the registry does not have the model tiny:1b.*Check its name and tag: pulumi config get models$/m,
    ],
    [
      "write /root/.ollama/models/blobs/x: no space left on device",
      /the disk of the Docker engine is full.*docker system df/,
    ],
    ["http: server gave HTTP response to HTTPS client", /uses plain HTTP.*insecure: true/],
  ])("fails at once with a fix if Ollama reports: %s", async (error, expected) => {
    const { server, url } = await fake({ lines: [{ error }], then: "end" });
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: url });
    expect(code).toBe(1);
    expect(stderr).toMatch(expected);
    expect(server.pulls).toHaveLength(1);
  });

  it("fails at once if Ollama rejects the name", async () => {
    const { url } = await fake({ status: 400, error: "invalid model name" });
    expect((await run("pull-model", { OLLAMA_URL: url })).stderr).toContain(
      "Ollama rejected the pull of tiny:1b: invalid model name",
    );
  });

  it("leaves only the short name of a model from another registry", async () => {
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

  it("keeps the source model if the stack lists it, too", async () => {
    const { server, url } = await fake();
    await run("pull-model", { OLLAMA_URL: url, MODEL_SOURCE: "other:2b", MODEL_KEEP_SOURCE: "true" });
    expect([...server.models.keys()].sort()).toEqual(["other:2b", "tiny:1b"]);
  });

  it("fails if Ollama does not respond", { timeout: 60_000 }, async () => {
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: "http://127.0.0.1:1" });
    expect(code).toBe(1);
    expect(stderr).toMatch(/Model tiny:1b: .*(does not respond|ECONNREFUSED)/);
  });
});

describe("an installed model", () => {
  /** Installs a model as an earlier update did. */
  async function installModel(environment: Record<string, string> = {}) {
    const { server, url } = await fake();
    const { stdout } = await run("pull-model", { OLLAMA_URL: url, ...environment });
    server.pulls.length = 0;
    server.changes.length = 0;
    const updateAgain = (changed: Record<string, string> = {}) =>
      run("pull-model", { OLLAMA_URL: url, PULUMI_COMMAND_STDOUT: stdout, ...environment, ...changed });
    return { server, record: parseRecord(stdout), updateAgain };
  }

  it("is left alone if nothing changed", async () => {
    const { server, record, updateAgain } = await installModel();
    const { stdout } = await updateAgain({ PULL_STALL_SECONDS: "2" });
    expect(parseRecord(stdout)).toEqual(record);
    expect(server.pulls).toEqual([]);
  });

  it("is pulled again if someone replaced it", async () => {
    const { server, record, updateAgain } = await installModel();
    server.models.set("tiny:1b", { digest: "f".repeat(64), size: 5 });
    expect(parseRecord((await updateAgain()).stdout)).toEqual(record);
    expect(server.pulls).toHaveLength(1);
  });

  it("is pulled again once for each MODEL_REQUEST", async () => {
    const { server, updateAgain } = await installModel();
    server.registryDigest = "9".repeat(64);
    const request = { MODEL_REQUEST: "today its tag moved" };
    const { stdout } = await updateAgain(request);
    expect(parseRecord(stdout)).toMatchObject({
      sourceDigest: "9".repeat(64),
      request: request.MODEL_REQUEST,
    });
    await updateAgain({ ...request, PULUMI_COMMAND_STDOUT: stdout });
    expect(server.pulls).toHaveLength(1);
  });

  it("stays available until its replacement from another source is installed, and leaves no other name", async () => {
    const { server, record, updateAgain } = await installModel();
    server.loaded.set("tiny:1b", undefined);
    server.registryDigest = "9".repeat(64);
    const source = "registry:5000/library/other:1b";
    const { stdout } = await updateAgain({ MODEL_SOURCE: source });
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

  it("loses only the temporary name that a killed update left", async () => {
    const { server, updateAgain } = await installModel();
    const [old, current] = [
      { digest: "c".repeat(64), size: 5 },
      { digest: "d".repeat(64), size: 5 },
    ];
    server.models.set(`superseded:${"c".repeat(12)}`, old);
    // A concurrent update is about to replace tiny:1b.
    server.models.set(`superseded:${"d".repeat(12)}`, current);
    server.models.set("superseded:7b", { digest: "7".repeat(64), size: 5 });
    expect((await updateAgain()).code).toBe(0);
    expect(server.changes).toEqual([`delete superseded:${"c".repeat(12)}`]);
  });

  it("is created again from its source if its parameters change", async () => {
    const { server, updateAgain } = await installModel();
    const changes = { parameters: { temperature: 0.1 }, system: "You are terse." };
    const { stdout } = await updateAgain({ MODEL_CHANGES: JSON.stringify(changes) });
    expect(server.pulls).toHaveLength(1);
    expect(server.creations).toEqual([{ model: "tiny:1b", from: "tiny:1b", ...changes, stream: true }]);
    expect(parseRecord(stdout)).toMatchObject({
      sourceDigest: "d".repeat(64),
      changes: JSON.stringify(changes),
    });
  });
});

describe("a pinned model", () => {
  it("is rejected and deleted if the registry has another digest", async () => {
    const { server, url } = await fake();
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: url, MODEL_DIGEST: "1".repeat(64) });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /registry's tiny:1b has the digest d{64}, but 1{64} is pinned: it was deleted again/,
    );
    expect([...server.models.keys()]).toEqual([]);
    expect(server.pulls).toHaveLength(1);
  });

  it("is pulled if a model with another digest has its name", async () => {
    const { server, url } = await fake();
    server.models.set("tiny:1b", { digest: "f".repeat(64), size: 5 });
    const { code } = await run("pull-model", { OLLAMA_URL: url, MODEL_DIGEST: "d".repeat(64) });
    expect(code).toBe(0);
    expect(server.pulls).toHaveLength(1);
  });
});

describe("deleting a model", () => {
  it("succeeds, also if the model does not exist", async () => {
    const { server, url } = await fake();
    server.models.set("tiny:1b", { digest: "e", size: 5 });
    expect((await run("delete-model", { OLLAMA_URL: url })).stdout).toBe("tiny:1b is deleted\n");
    expect(await run("delete-model", { OLLAMA_URL: url })).toMatchObject({
      code: 0,
      stdout: "tiny:1b did not exist\n",
    });
    expect(server.models.size).toBe(0);
  });

  it("is retried after a conflict with a concurrent deletion", async () => {
    const { server, url } = await fake();
    server.models.set("tiny:1b", { digest: "e", size: 5 });
    server.deletionErrors.push("lstat manifests/library/tiny: no such file or directory");
    expect(await run("delete-model", { OLLAMA_URL: url })).toMatchObject({
      code: 0,
      stdout: "tiny:1b is deleted\n",
    });
    expect(server.changes).toEqual(["delete tiny:1b", "delete tiny:1b"]);
  });

  it("fails with the reason if Ollama keeps failing", async () => {
    const { server, url } = await fake();
    server.deletionErrors.push(...Array.from({ length: 9 }, () => "disk is read-only"));
    const { code, stderr } = await run("delete-model", { OLLAMA_URL: url });
    expect([code, stderr]).toEqual([1, expect.stringContaining("cannot delete tiny:1b: disk is read-only")]);
    expect(server.changes).toHaveLength(5);
  });

  it("succeeds if the server is gone, so that the stack can be destroyed", async () => {
    const { code, stderr } = await run("delete-model", { OLLAMA_URL: "http://127.0.0.1:1" });
    expect(code).toBe(0);
    expect(stderr).toContain("stays in its volume");
  });
});

import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker } from "../../test-support/stack/by-hand.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";

// Failures are reported in one clear line, and the next update completes what a failed one started.
const project = new Project({ stack: "broken", ollamaPort: 18208, gatewayPort: 18200 });

beforeAll(async () => {
  await project.pulumi("stack", "init", project.stack);
});
afterAll(async () => {
  await project.dispose();
  expect(leftovers(project.stack)).toEqual(nothingLeft);
});

/** Runs a command, expects it to fail without a stack trace, and returns its output. */
async function expectFailure(...args: string[]): Promise<string> {
  const { code, output } = await project.tryPulumi(...args);
  expect(code, output).not.toBe(0);
  expect(output).not.toMatch(/^\s+at .*\.ts:\d+/m);
  return output;
}

describe("preview rejects", () => {
  // Previews change nothing, so they run concurrently, each with its own config.
  it.concurrent.each([
    [
      "GPUs on an engine without GPUs",
      { gpus: "0,1" },
      [
        /gpus is 0,1, but the engine offers no GPU: .* nvidia-smi works on its host; install nvidia-container-toolkit/,
      ],
    ],
    [
      "a memory limit that is not a number",
      { gatewayMemoryMiB: "lots" },
      [/gatewayMemoryMiB' must be of type 'integer'|gatewayMemoryMiB is "lots"/],
    ],
  ])("%s", async (what, values, expected) => {
    const config = project.otherConfig(what.replaceAll(/[ ,]+/g, "-"), values);
    const output = await expectFailure("preview", ...config);
    for (const error of expected) expect(output).toMatch(error);
  });

  it("invalid config in npm run preview, with all errors in a readable list", async () => {
    const config = project.otherConfig("invalid", {
      gatewayprot: 8000,
      ollamaPort: 99999,
      models: [{ name: "" }, { name: "a b" }],
    });
    const args = ["scripts/commands/preview.ts", "--", ...config];
    const { code, output } = await project.run(process.execPath, args).done;
    expect(code, output).toBe(1);
    expect(output).toMatch(/\*\*Refused\*\*.*\n(\n- [^\n]*)+\n$/);
    for (const error of [
      /^- .*gatewayprot is not a config key of this project; remove it/m,
      /^- .*ollamaPort is "99999", but must be a whole number from 0 to 65535/m,
      /^- .*models\[0\]\.name is "", but must be a model name/m,
      /^- .*models\[1\]\.name is "a b", but must be a model name/m,
    ])
      expect(output).toMatch(error);
    expect(output).not.toContain('"steps"');
  });

  describe("a port", () => {
    let server: Server;
    beforeAll(async () => {
      server = createServer((socket) => socket.end());
      await new Promise<void>((resolve) => server.listen(18200, "127.0.0.1", resolve));
    });
    afterAll(async () => {
      await new Promise((resolve) => server.close(resolve));
    });

    it("that another program uses, and suggests choosing another", async () => {
      expect(await expectFailure("preview")).toMatch(
        /Port 18200 is in use by another program on this host\. Stop that, or choose another: pulumi config set gatewayPort PORT/,
      );
    });
  });

  it("an engine that does not respond", async () => {
    const { code, output } = await project.run("pulumi", ["preview"], {
      DOCKER_HOST: "unix:///nowhere/docker.sock",
    }).done;
    expect(code).not.toBe(0);
    expect(output).toMatch(
      /The Docker engine at unix:\/\/\/nowhere\/docker\.sock does not respond: .*Start it/,
    );
  });

  it("a wrong passphrase", async () => {
    const { code, output } = await project.run(
      process.execPath,
      ["scripts/commands/up.ts", "--stack", project.stack],
      {
        PULUMI_CONFIG_PASSPHRASE: "not the one",
      },
    ).done;
    expect(code).not.toBe(0);
    expect(output).toMatch(/The passphrase is not the one .*Set PULUMI_CONFIG_PASSPHRASE/);
  });
});

describe("an update succeeds after one that failed because of", () => {
  const missingImage = "nowhere.test/none:1";
  const isReady = async () => (await fetch("http://127.0.0.1:18200/ready")).status === 200;
  const containerIds = () => docker("container", "ls", "--quiet", "--filter", "name=^/ollama-stack-broken-");

  /** Runs npm run up with a missing image, expects it to fail, and restores the config. */
  async function upWithMissingImage(key: "ollamaImage" | "gatewayBaseImage"): Promise<void> {
    const image = project.configured(key);
    project.configure({ [key]: missingImage });
    const { code, output } = await project.run(process.execPath, ["scripts/commands/up.ts"]).done;
    project.configure({ [key]: image });
    expect(code, output).not.toBe(0);
    expect(output).toMatch(
      new RegExp(
        `^error: ${key} is "${missingImage}", which the engine lacks and cannot pull: .*nowhere\\.test.*\\. Check .*pulumi config set ${key} IMAGE$`,
        "m",
      ),
    );
  }

  it("a missing image in a first update", async () => {
    await upWithMissingImage("ollamaImage");
    await project.pulumi("up", "--yes", "--skip-preview");
  });

  it("a missing image in an update of a running stack, which keeps running", async () => {
    const ids = containerIds();
    await upWithMissingImage("gatewayBaseImage");
    expect(await isReady()).toBe(true);
    await project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes");
    expect(containerIds()).toBe(ids);
  });

  // The next ones fail one after another, each on what the previous one left; the last one is followed by a good update.
  it("a model that the registry does not have", async () => {
    const ids = containerIds();
    const models = project.configured("models") as { name: string; source?: string }[];
    const missing = (models[0]?.source ?? "smollm2:135m").replace(/[^/]+$/, "no-such-model:1b");
    project.configure({ models: [{ ...models[0], name: "no-such-model:1b", source: missing }] });
    const text = await expectFailure("up", "--yes", "--skip-preview");
    project.configure({ models });
    expect(text).toMatch(
      /Model no-such-model:1b: the registry does not have the model .*Check its name and tag/,
    );
    expect(await isReady()).toBe(true);
    expect(containerIds()).toBe(ids);
  });

  it("a gateway that is killed for lack of memory, or never becomes ready with a higher limit", async () => {
    const undoServer = project.edit(
      "gateway/src/server.ts",
      (text) => `${text}\nprocess.title = String(Buffer.alloc(200 * 1024 * 1024, 1).length);\n`,
    );
    project.configure({ gatewayMemoryMiB: 128 });
    expect(await expectFailure("up", "--yes", "--skip-preview")).toMatch(
      /Container ollama-stack-broken-gateway was killed because it needs more memory than 128 MiB; raise its limit: gatewayMemoryMiB/,
    );

    const undoPort = project.edit("components/resources/gateway.ts", (text) =>
      text.replace("LLM_SERVICE_PORT: String(first.port)", 'LLM_SERVICE_PORT: "1"'),
    );
    project.configure({ gatewayMemoryMiB: 512, readyTimeoutSeconds: 5 });
    // It has enough memory now, because it responds.
    expect(await expectFailure("up", "--yes", "--skip-preview")).toMatch(
      /ollama-stack-broken-gateway is not ready after 5 s \(readyTimeoutSeconds\): .* responded with 503/,
    );

    undoServer();
    undoPort();
    project.configure({ gatewayMemoryMiB: undefined, readyTimeoutSeconds: undefined });
    await project.pulumi("up", "--yes", "--skip-preview");
    expect(await isReady()).toBe(true);
    await project.pulumi("preview", "--expect-no-changes");
  });
});

import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker } from "../../test-support/stack/by-hand.ts";
import { leftovers, Project } from "../../test-support/stack/project.ts";

// Failures are reported in one clear line, and the next update completes what a failed one started.
const project = new Project({ stack: "broken", ollamaPort: 18208, gatewayPort: 18200 });

beforeAll(async () => {
  await project.pulumi("stack", "init", project.stack);
});
afterAll(async () => {
  await project.dispose();
  expect(leftovers(project.stack)).toEqual({ containers: [], networks: [], volumes: [], images: [] });
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
      "an unknown key, a port out of range and malformed names at once",
      { gatewayprot: 8000, ollamaPort: 99999, models: [{ name: "" }, { name: "a b" }] },
      [
        /gatewayprot is not a config key of this project; remove it/,
        /ollamaPort is "99999", but must be a whole number from 0 to 65535/,
        /models\[0\]\.name is "", but must be a model name/,
        /models\[1\]\.name is "a b", but must be a model name/,
      ],
    ],
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

  it("invalid config with a readable message in npm run preview", async () => {
    project.configure({ gatewayPort: 99999 });
    const { code, output } = await project.run(process.execPath, ["scripts/commands/preview.ts"]).done;
    project.configure({ gatewayPort: 18200 });
    expect(code, output).toBe(1);
    expect(output).toMatch(/\*\*Refused\*\*.*\n\n- .*gatewayPort is "99999", but must be [^\n]*\n$/);
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
  /** Runs npm run up with a missing image, expects it to fail, and restores the config. */
  async function upWithMissingImage(
    key: string,
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    const broken = { [key]: missingImage, ...more };
    const before = Object.fromEntries(Object.keys(broken).map((each) => [each, project.configured(each)]));
    project.configure(broken);
    const { code, output } = await project.run(process.execPath, ["scripts/commands/up.ts"]).done;
    project.configure(before);
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
    await upWithMissingImage("edgeImage", { edge: "http" });
    await project.pulumi("up", "--yes", "--skip-preview");
    await project.pulumi("preview", "--expect-no-changes");
  });

  it("a missing image in an update of a running stack, which keeps running", async () => {
    const ids = docker("container", "ls", "--quiet", "--filter", "name=^/ollama-stack-broken-");
    await upWithMissingImage("ollamaImage");
    await upWithMissingImage("gatewayBaseImage");
    await upWithMissingImage("edgeImage", { edge: "http" });
    expect((await fetch("http://127.0.0.1:18200/ready")).status).toBe(200);
    await project.pulumi("up", "--yes", "--skip-preview");
    await project.pulumi("preview", "--expect-no-changes");
    expect(docker("container", "ls", "--quiet", "--filter", "name=^/ollama-stack-broken-")).toBe(ids);
  });

  it("a model that the registry does not have", async () => {
    const models = project.configured("models") as { name: string; source?: string }[];
    const missing = (models[0]?.source ?? "smollm2:135m").replace(/[^/]+$/, "no-such-model:1b");
    project.configure({ models: [{ ...models[0], name: "no-such-model:1b", source: missing }] });
    const text = await expectFailure("up", "--yes", "--skip-preview");
    expect(text).toMatch(
      /Model no-such-model:1b: the registry does not have the model .*Check its name and tag/,
    );
    project.configure({ models });
    await project.pulumi("up", "--yes", "--skip-preview");
    expect((await fetch("http://127.0.0.1:18200/ready")).status).toBe(200);
  });

  it("a gateway that crashes, whose last log lines are printed", async () => {
    const undo = project.edit(
      "gateway/src/server.ts",
      (text) => `${text}\nthrow new Error("planted crash");\n`,
    );
    const text = await expectFailure("up", "--yes", "--skip-preview");
    expect(text).toMatch(/Container ollama-stack-broken-gateway (crashed|exited)/);
    expect(text).toMatch(/Its last log lines:\n(.*\n)*.*planted crash/);
    undo();
    await project.pulumi("up", "--yes", "--skip-preview");
    expect((await fetch("http://127.0.0.1:18200/ready")).status).toBe(200);
    await project.pulumi("preview", "--expect-no-changes");
  });

  it("a gateway that is killed for lack of memory, with a higher limit", async () => {
    const undo = project.edit(
      "gateway/src/server.ts",
      (text) => `${text}\nprocess.title = String(Buffer.alloc(200 * 1024 * 1024, 1).length);\n`,
    );
    project.configure({ gatewayMemoryMiB: 128 });
    const text = await expectFailure("up", "--yes", "--skip-preview");
    expect(text).toMatch(
      /Container ollama-stack-broken-gateway was killed because it needs more memory than 128 MiB; raise its limit: gatewayMemoryMiB/,
    );
    project.configure({ gatewayMemoryMiB: 512 });
    await project.pulumi("up", "--yes", "--skip-preview");
    expect((await fetch("http://127.0.0.1:18200/ready")).status).toBe(200);
    await project.pulumi("preview", "--expect-no-changes");
    undo();
    project.configure({ gatewayMemoryMiB: undefined });
  });

  it("a gateway that never becomes ready, whose response is printed", async () => {
    const undo = project.edit("components/resources/gateway.ts", (text) =>
      text.replace("LLM_SERVICE_PORT: String(first.port)", 'LLM_SERVICE_PORT: "1"'),
    );
    project.configure({ readyTimeoutSeconds: 5 });
    const text = await expectFailure("up", "--yes", "--skip-preview");
    expect(text).toMatch(
      /ollama-stack-broken-gateway is not ready after 5 s \(readyTimeoutSeconds\): .* responded with 503/,
    );
    undo();
    project.configure({ readyTimeoutSeconds: undefined });
    await project.pulumi("up", "--yes", "--skip-preview");
    expect((await fetch("http://127.0.0.1:18200/ready")).status).toBe(200);
  });
});

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo } from "node:net";
import { promisify } from "node:util";
import { parse } from "yaml";
import { expect, test } from "vitest";

/** Runs a script as the engine runs the program, after what Pulumi.yaml has loaded before it; returns what it prints. */
async function run(script: string, ...args: string[]): Promise<string> {
  const { runtime } = parse(readFileSync("Pulumi.yaml", "utf8")) as {
    runtime: { options: { nodeargs: string } };
  };
  const nodeArgs = runtime.options.nodeargs.split(" ");
  const asked = [...nodeArgs, "--input-type=commonjs", "--eval", script, ...args];
  const { stdout } = await promisify(execFile)(process.execPath, asked);
  return stdout.trim();
}

const count = `const count = () => Object.values(require.cache).filter(({ filename }) =>
  /@npmcli|pulumi\\/automation|\\/typescript|source-map|opentelemetry.*\\/build\\//.test(filename) && !/opentelemetry.api/.test(filename)).length;`;

test("Pulumi's SDK is loaded without what serialises functions and sends traces", async () => {
  const script = `require("@pulumi/pulumi"); require("@pulumi/pulumi/cmd/run/tracing"); require("source-map-support/register");
    ${count} console.log(count(), Error.prepareStackTrace?.name === "prepareStackTrace");`;
  // One for each that something stands in for: what it needs would be hundreds.
  expect(await run(script)).toMatch(/^1?\d false$/);
});

test("no debugger listens in, and the program's own modules bring no fetch", async () => {
  const script = `require("@pulumi/pulumi/runtime/closure/v8Hooks").isInitializedAsync().then(async () => {
    await import("./components/planning/models/http.ts");
    await import("./engine/docker-api.ts");
    const loaded = (name) => process.moduleLoadList.includes("NativeModule " + name);
    console.log(loaded("inspector"), loaded("internal/deps/undici/undici"));
  });`;
  expect(await run(script)).toBe("false false");
});

test("the automation API is there all the same", async () => {
  const script = `console.log(typeof require("@pulumi/pulumi").automation.LocalWorkspace.createStack);`;
  expect(await run(script)).toBe("function");
});

test("a function is serialised all the same", async () => {
  const script = `const { runtime } = require("@pulumi/pulumi"); const three = 3;
    runtime.serializeFunction(() => three + 1).then(({ text }) => console.log(text));`;
  expect(await run(script)).toContain("three + 1");
});

test("the packages that such a function needs are found all the same", async () => {
  const script = `require("@pulumi/pulumi").runtime.computeCodePaths().then((paths) => console.log([...paths.keys()].join(" ")));`;
  expect(await run(script)).toContain("node_modules/zod");
});

test("the program's traces are sent all the same", async () => {
  const received: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      received.push(body);
      response.writeHead(202).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/api/v2/spans`;
  try {
    await run(
      `const tracing = require("@pulumi/pulumi/cmd/run/tracing");
       tracing.start(process.argv[1]); tracing.newSpan("a-span").end();`,
      url,
    );
    expect(received.join("\n")).toContain("a-span");
  } finally {
    server.close();
  }
});

import { describe, expect, it } from "vitest";
import { tryRun, runTool } from "../../../host/exec.ts";
import { runProcess } from "../../../host/run-process.ts";

const node = (script: string, options = {}) => runProcess(process.execPath, ["--eval", script], options);

describe("a program", () => {
  it("reads its input, and its output is streamed and returned", async () => {
    const seen: string[] = [];
    const script = `process.stdin.pipe(process.stdout); process.stdin.on("end", () => { console.error("done"); process.exitCode = 3; });`;
    const result = await node(script, {
      input: "hello",
      onOutput: (text: string, stream: string) => seen.push(`${stream}: ${text}`),
    });
    expect(result).toEqual({ code: 3, signal: null, timedOut: false, stdout: "hello", stderr: "done\n" });
    expect(seen.sort()).toEqual(["stderr: done\n", "stdout: hello"]);
  });

  it("is killed after its timeout, even if a child process holds its output", async () => {
    const child = `require("child_process").spawn(process.execPath, ["--eval", "setTimeout(() => console.log('late'), 5000)"], { stdio: "inherit" })`;
    const result = await node(`${child}; setInterval(() => {}, 1000)`, { timeoutMs: 500 });
    expect(result).toMatchObject({ code: null, signal: "SIGKILL", timedOut: true, stdout: "" });
  });

  it("that does not exist fails with its name", async () => {
    await expect(runProcess("no-such-program", [])).rejects.toThrow("no-such-program ENOENT");
    expect(await tryRun("no-such-program", [])).toBeUndefined();
    await expect(runTool("no-such-program", [], { what: "try it" })).rejects.toThrow(
      /^try it failed: spawn no-such-program ENOENT/,
    );
  });

  it("that fails is reported with its last lines of output", async () => {
    const script = `for (let i = 1; i < 20; i += 1) console.log("line " + i); process.exitCode = 4;`;
    await expect(runTool(process.execPath, ["--eval", script], { what: "count" })).rejects.toThrow(
      /^count failed: exit code 4; [^]*\n {2}\| line 12\n[^]*\| line 19$/,
    );
  });
});

import { describe, expect, it } from "vitest";
import { tryRun, runTool } from "../../../host/exec.ts";
import { runProcess } from "../../../host/run-process.ts";

const node = (script: string, options = {}) => runProcess(process.execPath, ["--eval", script], options);

describe("a program that is run", () => {
  it("reads what it is given, and what it writes is passed on and returned", async () => {
    const seen: string[] = [];
    const script = `process.stdin.pipe(process.stdout); process.stdin.on("end", () => { console.error("done"); process.exitCode = 3; });`;
    const end = await node(script, {
      input: "hello",
      onOutput: (text: string, stream: string) => seen.push(`${stream}: ${text}`),
    });
    expect(end).toEqual({ code: 3, signal: null, timedOut: false, stdout: "hello", stderr: "done\n" });
    expect(seen.sort()).toEqual(["stderr: done\n", "stdout: hello"]);
  });

  it("that takes too long is killed, whoever holds its output", async () => {
    const child = `require("child_process").spawn(process.execPath, ["--eval", "setTimeout(() => console.log('late'), 5000)"], { stdio: "inherit" })`;
    const end = await node(`${child}; setInterval(() => {}, 1000)`, { timeoutMs: 500 });
    expect(end).toMatchObject({ code: null, signal: "SIGKILL", timedOut: true, stdout: "" });
  });

  it("that is not there fails with its name", async () => {
    await expect(runProcess("no-such-program", [])).rejects.toThrow("no-such-program ENOENT");
    expect(await tryRun("no-such-program", [])).toBeUndefined();
    await expect(runTool("no-such-program", [], { what: "try it" })).rejects.toThrow(
      /^try it failed: spawn no-such-program ENOENT/,
    );
  });

  it("that fails ends with the last lines that it wrote", async () => {
    const script = `for (let i = 1; i < 20; i += 1) console.log("line " + i); process.exitCode = 4;`;
    await expect(runTool(process.execPath, ["--eval", script], { what: "count" })).rejects.toThrow(
      /^count failed: exit code 4; [^]*\n {2}\| line 12\n[^]*\| line 19$/,
    );
  });
});

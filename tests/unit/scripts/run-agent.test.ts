import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";

// In a process of its own, which gets the signals.
const program = `
import { main } from "./scripts/cli/main.ts";
import { runAgent } from "./scripts/connect/run-agent.ts";
const [command, ...args] = process.argv.slice(1);
await main(async () => {
  process.exitCode = await runAgent({ command, args, env: { NAME: "ada" }, install: "npm install agent" }, ["more"]);
});
`;

function start(...agent: readonly string[]) {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program, "--", ...agent], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  return { child, output, ended: once(child, "close") };
}

describe("npm run client", () => {
  it("runs the agent with its settings and the user's arguments", async () => {
    const { output, ended } = start("sh", "-c", 'echo "$NAME $1"; exit 7', "agent");
    expect(await ended).toEqual([7, null]);
    expect(output.stdout).toBe("ada more\n");
  });

  it("prints one error for a missing agent, which names how to install it", async () => {
    const { output, ended } = start("no-such-agent");
    expect(await ended).toEqual([1, null]);
    expect(output.stderr).toBe(
      "error: cannot start no-such-agent: it is not installed. Install it: npm install agent\n",
    );
  });

  it.each(["SIGTERM", "SIGHUP"] as const)(
    "leaves Ctrl-C to the agent, passes on %s and waits until it exits",
    async (signal) => {
      const agent = 'trap "echo ended; exit 3" TERM HUP; echo ready; while :; do sleep 0.1; done';
      const { child, output, ended } = start("sh", "-c", agent);
      await expect.poll(() => output.stdout, { timeout: 10_000 }).toBe("ready\n");
      child.kill("SIGINT");
      child.kill(signal);
      expect(await ended).toEqual([3, null]);
      expect(output.stdout).toBe("ready\nended\n");
    },
  );
});

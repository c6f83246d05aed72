import { afterAll, expect, it } from "vitest";
import { Project } from "../../test-support/stack/project.ts";

const project = new Project({ stack: "keysparallel", ollamaPort: "auto", gatewayPort: "auto" });

afterAll(() => project.dispose());

it("keeps all keys that are added at the same time", async () => {
  const keys = (...args: string[]) =>
    project.run(process.execPath, ["scripts/commands/keys.ts", ...args]).done;
  await project.pulumi("stack", "init", project.stack);
  const names = ["ada", "bob", "eve"];
  for (const { code, output } of await Promise.all(names.map((name) => keys("add", name))))
    expect(code, output).toBe(0);
  const { output } = await keys("list");
  for (const name of names) expect(output).toMatch(new RegExp(`^${name} +[0-9a-f]{8} +valid`, "m"));
});

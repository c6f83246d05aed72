import { expect, it } from "vitest";
import { find, gateway, read } from "../../../test-support/components/mocked-program.ts";

it("serves the console in its image unless it is disabled", async () => {
  await read(gateway("with-console").url);
  expect(String(find("with-console-container")["envs"])).not.toContain("CONSOLE_FOLDER");
  await read(gateway("without-console", { console: false }).url);
  expect(find("without-console-container")["envs"]).toContain("CONSOLE_FOLDER=");
});

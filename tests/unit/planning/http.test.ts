import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";

it("the HTTP client of the program does not load fetch, which takes as long as all the requests", () => {
  const script = `await import("./components/planning/models/http.ts");
    await import("./engine/docker-api.ts");
    console.log(process.moduleLoadList.includes("NativeModule internal/deps/undici/undici"));`;
  const args = ["--input-type=module", "--eval", script];
  expect(execFileSync(process.execPath, args, { encoding: "utf8" })).toBe("false\n");
});

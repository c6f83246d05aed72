import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";

// A new installation of Docker 29. An engine built from its Go module reports the module's version.
const current = {
  ServerVersion: expect.stringMatching(/^(29\.|2\.0\.0-)/) as string,
  DriverStatus: expect.arrayContaining([["driver-type", "io.containerd.snapshotter.v1"]]) as string[][],
};
const any = { ServerVersion: expect.stringMatching(/^\d+\./) as string };

it("the engine is the one of this test run: `current` is Docker 29 with containerd's image store", () => {
  const info: unknown = JSON.parse(
    execFileSync("docker", ["info", "--format", "{{json .}}"], { encoding: "utf8" }),
  );
  expect(info).toMatchObject(process.env["OLLAMA_STACK_TEST_ENGINE"] === "current" ? current : any);
});

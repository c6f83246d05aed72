import { expect, it } from "vitest";
import { podmanProblem } from "../../../engine/podman.ts";

it("rejects Podman before 5 with the fix", () => {
  expect(podmanProblem([{ Name: "Podman Engine", Version: "4.3.1" }])).toBe(
    "the engine is Podman 4.3.1, but must be Podman 5 or later, or Docker: upgrade it, or set DOCKER_HOST to another engine",
  );
});

it.each([
  ["Podman 5", [{ Name: "Podman Engine", Version: "5.4.2" }]],
  ["Podman 10", [{ Name: "Podman Engine", Version: "10.0.0" }]],
  ["Docker", [{ Name: "Engine", Version: "29.1.0" }]],
  ["an engine that reports no components", []],
])("accepts %s", (_name, components) => {
  expect(podmanProblem(components)).toBeUndefined();
});

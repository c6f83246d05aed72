import { expect, it } from "vitest";
import { parseDeployment } from "../../../scripts/stack/deployment.ts";
import { isSameState } from "../../../scripts/update/current-state.ts";

const container = { urn: "urn:pulumi:x::p::docker:index/container:Container::c", type: "t" };
const state = (id: string, pending: readonly object[] = []) =>
  parseDeployment(
    JSON.stringify({
      deployment: { resources: [{ ...container, id }], pending_operations: pending },
    }),
  );

it("a state in which nothing changed is current", () => {
  expect(isSameState(state("old"), state("old"))).toBe(true);
});

it("a state in which another run has replaced a container, or is about to, is not current", () => {
  expect(isSameState(state("old"), state("new"))).toBe(false);
  const creating = { type: "creating", resource: { type: "t", inputs: {} } };
  expect(isSameState(state("old"), state("old", [creating]))).toBe(false);
});

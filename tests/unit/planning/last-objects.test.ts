import * as pulumi from "@pulumi/pulumi";
import { afterAll, expect, it } from "vitest";
import { requireAdopted } from "../../../components/planning/last-objects.ts";
import { HostPorts } from "../../../components/planning/ports/host-ports.ts";
import { stackNames } from "../../../engine/names.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const docker = new FakeDocker();
afterAll(() => {
  docker.remove();
});
const names = stackNames("test", { networkName: "", ollamaReplicas: 1, gatewayReplicas: 1 });
const container = "urn::docker:index/container:Container::ollama-container";
const volume = "urn::docker:index/volume:Volume::ollama-models";

/** Runs the check with the given containers on the engine ("NAME STATE") and objects in the state (URN to name). */
async function check(containers: string[], state: Record<string, string>, modelVolume = ""): Promise<void> {
  docker.mock({ "container ls": containers.map((line) => `${line.replace(" ", "\t")}\t\n`).join("") });
  const outputs = Object.fromEntries(
    Object.entries(state).map(([urn, name]) => [urn, { outputs: { name } }]),
  );
  await pulumi.runtime.setMocks(
    { newResource: ({ name }) => ({ id: name, state: {} }), call: () => ({ outputs }) },
    "ollama-stack",
    "test",
    true,
    "organization",
  );
  await requireAdopted(await HostPorts.read({ dockerHost: "", dockerCertPath: "" }), names, { modelVolume });
}

it("rejects containers that are not in the state, with the command that adopts them", async () => {
  await expect(check(["ollama-stack-test-ollama running", "others running"], {})).rejects.toThrow(
    /^The engine has ollama-stack-test-ollama, which this stack's state does not contain: .*npm run adopt -- --stack test$/,
  );
});

it("accepts a new stack, a known one, and containers that a failed update never started", async () => {
  await check(["others running"], {});
  await check(["ollama-stack-test-ollama running"], { [container]: "ollama-stack-test-ollama" });
  await check(["ollama-stack-test-ollama created"], {});
});

it("rejects a renamed stack unless it keeps its volume", async () => {
  const state = { [container]: "ollama-stack-old-ollama", [volume]: "ollama-stack-old-ollama-models" };
  await expect(check([], state)).rejects.toThrow(
    /^The stack was renamed to test, but .* its model volume ollama-stack-old-ollama-models .*Keep them with: npm run adopt -- --stack test; or .*: pulumi stack rename$/,
  );
  await check([], state, "ollama-stack-old-ollama-models");
});

import { afterAll, describe, expect, it } from "vitest";
import { applyKeys, readExistingKeyEntries, readKeyEntries } from "../../../scripts/keys/stack-keys.ts";
import { stackFile } from "../../../scripts/stack/stack-file.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const program = new FakeDocker("pulumi");
afterAll(() => {
  program.remove();
});
const configured = (value: string) => JSON.stringify({ "ollama-stack:gatewayApiKeys": { value } });

describe("npm run keys -- list", () => {
  it("reads the config only, so that it creates and recovers nothing", async () => {
    program.mock({ config: configured('["a","b"]') });
    expect(await readExistingKeyEntries("dev", process.env)).toEqual(["a", "b"]);
    expect(program.calls).toEqual(["config --json --show-secrets --stack dev"]);
  });

  it("leaves a stack that does not exist to the CLI's error, which has a hint", async () => {
    program.mock({ config: { fails: "error: no stack named 'prdo' found" } });
    await expect(readExistingKeyEntries("prdo", process.env)).rejects.toThrow(
      expect.objectContaining({ stderr: "error: no stack named 'prdo' found" }),
    );
  });

  it("does not take a missing config file for a config without keys", async () => {
    program.mock({ config: "{}" });
    await expect(readExistingKeyEntries("lost", process.env)).rejects.toThrow(
      `the keys of the stack lost are unknown, because its config file ${stackFile("lost")} is missing. Restore the file`,
    );
  });
});

it("a list of keys that cannot be read is removed from the same stack", async () => {
  program.mock({ config: configured('{"a":1}') });
  await expect(readKeyEntries("prod", process.env)).rejects.toThrow(
    /npm run pulumi -- config rm gatewayApiKeys --stack prod$/,
  );
});

it("keys that the gateways could not apply are applied to the same stack", async () => {
  const deployed = { ...{ urn: "", name: "", type: "", id: "", outputs: {} }, protect: false, retain: false };
  // Without its variables, the command fails at once.
  const inputs = { environment: {} };
  await expect(
    applyKeys({ ...deployed, inputs }, { stackOption: " -- --stack prod", env: {} }, []),
  ).rejects.toThrow(/the gateways do not\. Apply them with: npm run up -- --stack prod$/);
});

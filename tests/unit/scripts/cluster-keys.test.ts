import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, afterEach, expect, it, vi } from "vitest";
import { updateKeysInCluster } from "../../../scripts/keys/stack-keys.ts";
import { parseDeployment } from "../../../scripts/stack/deployment.ts";
import { PulumiFailed } from "../../../scripts/stack/pulumi-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "cluster-keys-"));
const calls = join(folder, "calls");
afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A session with a fake CLI that records its arguments, then runs `end`. */
function session(end: string) {
  const script = `#!/bin/sh\necho "$OLLAMA_STACK_KEYS_ONLY $*" > '${calls}'\n${end}\n`;
  writeFileSync(join(folder, "pulumi"), script, { mode: 0o755 });
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env["PATH"] ?? ""}` };
  return { stack: "lab", stackOption: " -- --stack lab", env };
}

const urn = (type: string, name: string) => `urn:pulumi:lab::ollama-stack::${type}::${name}`;
const resource = (type: string, name: string) => ({ urn: urn(type, name), type });
const secret = resource("kubernetes:core/v1:Secret", "gateway-keys");
const inForce = resource("command:local:Command", "gateway-keys-in-force");
const deployed = (...resources: object[]) => parseDeployment(JSON.stringify({ deployment: { resources } }));

it("updates only the keys in a cluster, without checks of anything else", async () => {
  const others = [resource("kubernetes:apps/v1:StatefulSet", "ollama-pods")];
  expect(await updateKeysInCluster(session("exit 0"), deployed(secret, inForce, ...others))).toBe(true);
  expect(readFileSync(calls, "utf8").trim()).toBe(
    `true up --yes --skip-preview --suppress-outputs --stack lab --target ${secret.urn} --target ${inForce.urn}`,
  );
});

it("updates nothing in a stack without a gateway", async () => {
  expect(await updateKeysInCluster(session("exit 0"), deployed(secret))).toBe(false);
});

it("reports that the gateways may not have a change of keys, and how to apply it", async () => {
  const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const failing = session("echo 'The cluster does not respond' >&2; exit 255");
  await expect(updateKeysInCluster(failing, deployed(secret, inForce))).rejects.toThrow(PulumiFailed);
  expect(errors.mock.calls).toEqual([
    [
      "The config of lab has the change, but its gateways may not have it, for the reason below. " +
        "Once that is fixed, apply it with npm run up -- --stack lab, or with the next change of keys.",
    ],
  ]);
});

import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import { expect, onTestFinished, test, vi } from "vitest";
import { digestOf, newKey } from "../../../gateway/src/auth/api-keys.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";
import { postChat } from "../../../test-support/gateway/key-requests.ts";

const keys = ["ada", "bob", "eve"].map((name) => newKey(name, []));

test.each([
  ["the first key", keys[0]?.key ?? "", 200],
  ["the last key", keys[2]?.key ?? "", 200],
  ["a wrong key", `${keys[0]?.key}x`, 401],
  ["a short wrong key", "x", 401],
])("compares %s with every key, in constant time", async (_which, key, status) => {
  const gateway = await startGateway(await startFake(), { API_KEYS: keys.map(({ line }) => line).join(";") });
  const compared = vi.spyOn(crypto, "timingSafeEqual");
  // Updates named imports when the spy is installed and removed.
  syncBuiltinESMExports();
  onTestFinished(() => {
    compared.mockRestore();
    syncBuiltinESMExports();
  });
  expect((await postChat(gateway, key)).status).toBe(status);
  // Compares digests, whose length does not depend on the presented key.
  const presented = digestOf(key);
  expect(compared.mock.calls).toEqual(keys.map((each) => [digestOf(each.key), presented]));
});

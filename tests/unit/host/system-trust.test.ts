import { expect, it, vi } from "vitest";

// A new copy, as the module reads the machine's certificates only once, and other tests of this process use it too.
vi.resetModules();
const { withSystemTrust } = await import("../../../host/system-trust.ts");

const untrusted = () =>
  new TypeError("fetch failed", {
    cause: Object.assign(new Error("self-signed certificate in certificate chain"), {
      code: "SELF_SIGNED_CERT_IN_CHAIN",
    }),
  });

// The order of the tests matters for the same reason.
it("does not retry a request that fails for another reason", async () => {
  const work = vi.fn(() => Promise.reject(new Error("ECONNREFUSED")));
  await expect(withSystemTrust(work)).rejects.toThrow("ECONNREFUSED");
  expect(work).toHaveBeenCalledTimes(1);
});

it("retries all concurrent requests that fail for an unknown authority with the machine's certificates", async () => {
  const attempts = () => {
    let count = 0;
    return () => {
      count += 1;
      return count === 1 ? Promise.reject(untrusted()) : Promise.resolve("response");
    };
  };
  const results = await Promise.all([withSystemTrust(attempts()), withSystemTrust(attempts())]);
  expect(results).toEqual(["response", "response"]);
});

it("fails after one attempt if the machine does not know the authority either", async () => {
  const work = vi.fn(() => Promise.reject(untrusted()));
  await expect(withSystemTrust(work)).rejects.toThrow("fetch failed");
  expect(work).toHaveBeenCalledTimes(1);
});

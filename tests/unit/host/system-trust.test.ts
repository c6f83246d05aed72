import { expect, it, vi } from "vitest";
import { withSystemTrust } from "../../../host/system-trust.ts";

const untrusted = () =>
  new TypeError("fetch failed", {
    cause: Object.assign(new Error("self-signed certificate in certificate chain"), {
      code: "SELF_SIGNED_CERT_IN_CHAIN",
    }),
  });

// In order: what is read of the machine's certificates is read once in a process.
it("what fails for another reason is not done again", async () => {
  const work = vi.fn(() => Promise.reject(new Error("ECONNREFUSED")));
  await expect(withSystemTrust(work)).rejects.toThrow("ECONNREFUSED");
  expect(work).toHaveBeenCalledTimes(1);
});

it("requests that meet an unknown authority at the same time are all done again with the machine's", async () => {
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

it("an authority that the machine does not know either is an error, after one attempt", async () => {
  const work = vi.fn(() => Promise.reject(untrusted()));
  await expect(withSystemTrust(work)).rejects.toThrow("fetch failed");
  expect(work).toHaveBeenCalledTimes(1);
});

import { randomBytes } from "node:crypto";
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { keyWarnings } from "../../../components/config/common-passwords.ts";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { entropyBits, REQUIRED_BITS, weaknessOf } from "../../../scripts/keys/key-strength.ts";

const script = join(import.meta.dirname, "../../../scripts/commands/new-key.ts");

describe("a user-made key", () => {
  it.each([
    "password",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "passwordpasswordpasswordpasswordpasswordpassword",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "qwertyuiopasdfghjklzxcvbnm1234567890",
    "correct-horse-battery-staple",
    "the-very-secret-key-of-our-whole-team",
    "OurTeamsSecretKey2026!OurTeamsSecretKey2026!",
    "sk-0123456789abcdef",
    "5b1f3a9c-7e42-4d06-9b8e-2c6a1f0d4e73",
    "1234567890123456789012345678901234567890",
  ])("is rejected if it can be guessed: %s", async (key) => {
    expect(entropyBits(key)).toBeLessThan(REQUIRED_BITS);
    expect(await weaknessOf(key)).toMatch(/common passwords|bits of entropy and needs 128/);
  });

  it("is accepted if it is random", async () => {
    // The first two have 256 and 192 bits, and are the same in each run.
    for (const key of [
      "9b2f7c41d0e86a35f1c4097ae2b85d63a7f01c9e4d28b6530ef7c19a84d2635b",
      "Kq7Zr2Xw9Lm4Tn8Vb3Yc6Hd1Jf5Gs0Pa-uEoWiRz",
      randomBytes(32).toString("base64url"),
      randomBytes(32).toString("hex"),
      newKey("ada", []).key,
    ])
      expect(await weaknessOf(key), key).toBeUndefined();
  });

  it.each(["two words", "schlüssel", "", "tab\there"])(
    "is rejected if no HTTP header can carry it: %j",
    async (key) => {
      expect(await weaknessOf(key)).toContain("no HTTP header can carry");
    },
  );
});

describe("npm run new-key", () => {
  const run = (input: string, ...args: string[]) =>
    spawnSync(process.execPath, [script, ...args], { input, encoding: "utf8" });

  it("rejects a weak user-made key without printing it", () => {
    const { status, stdout, stderr } = run("correct-horse-battery-staple\n", "--stdin", "ada");
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("bits of entropy");
    expect(stderr).not.toContain("battery");
    expect(run("dragon", "ada", "--stdin").stderr).toContain("most common passwords");
  });

  it("prints the line of a strong key with its fields", () => {
    const key = randomBytes(32).toString("hex");
    const { status, stdout } = run(`${key}\n`, "--stdin", "ada", "requests=5", "expires=2027-01-31");
    expect(status).toBe(0);
    expect(stdout).not.toContain(key);
    expect(stdout).toContain(newKey("ada", ["requests=5", "expires=2027-01-31"], key).line);
  });

  it("prints its usage", () => {
    expect(execFileSync(process.execPath, [script, "--help"], { encoding: "utf8" })).toContain("--stdin");
  });
});

describe("keys known only by their digests", () => {
  const warnings = (...lines: string[]) => keyWarnings(lines);

  it("cause a warning if one is a common password", async () => {
    const weak = newKey("bob", [], "letmein");
    expect(await warnings(newKey("ada", []).line, weak.line)).toEqual([
      expect.stringMatching(
        /^The API key bob:[0-9a-f]{8} is one of the 10000 most common passwords.*rotate bob$/,
      ),
    ]);
    expect(await warnings(newKey("ada", []).line)).toEqual([]);
  });

  it("cause a warning if none of them is valid", async () => {
    const dead = [newKey("ada", ["expires=2020-01-01"]).line, newKey("bob", ["disabled"]).line];
    expect(await warnings(...dead)).toEqual([
      expect.stringContaining("Every API key has expired or is disabled"),
    ]);
    expect(await warnings(...dead, newKey("eve", []).line)).toEqual([]);
    expect(await warnings()).toEqual([]);
  });
});

import { randomBytes } from "node:crypto";
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { keyWarnings } from "../../../components/config/common-passwords.ts";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { entropyBits, REQUIRED_BITS, weaknessOf } from "../../../scripts/keys/key-strength.ts";

const script = join(import.meta.dirname, "../../../scripts/commands/new-key.ts");

describe("a key that somebody made", () => {
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
  ])("is refused when it can be guessed: %s", async (key) => {
    expect(entropyBits(key)).toBeLessThan(REQUIRED_BITS);
    expect(await weaknessOf(key)).toMatch(/common passwords|bits of entropy and needs 128/);
  });

  it("is taken when it is random", async () => {
    // 256 and 192 bits, fixed so that what is tested is the same each time.
    for (const key of [
      "9b2f7c41d0e86a35f1c4097ae2b85d63a7f01c9e4d28b6530ef7c19a84d2635b",
      "Kq7Zr2Xw9Lm4Tn8Vb3Yc6Hd1Jf5Gs0Pa-uEoWiRz",
      randomBytes(32).toString("base64url"),
      randomBytes(32).toString("hex"),
      newKey("ada", []).key,
    ])
      expect(await weaknessOf(key), key).toBeUndefined();
  });

  it.each(["two words", "schlüssel", "", "tab\there"])("has to fit into a header: %j", async (key) => {
    expect(await weaknessOf(key)).toContain("no HTTP header can carry");
  });
});

describe("npm run new-key", () => {
  const run = (input: string, ...args: string[]) =>
    spawnSync(process.execPath, [script, ...args], { input, encoding: "utf8" });

  it("refuses a weak key of one's own, and does not repeat it", () => {
    const { status, stdout, stderr } = run("correct-horse-battery-staple\n", "--stdin", "ada");
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("bits of entropy");
    expect(stderr).not.toContain("battery");
    expect(run("dragon", "ada", "--stdin").stderr).toContain("most common passwords");
  });

  it("makes the line of a strong one, with its fields", () => {
    const key = randomBytes(32).toString("hex");
    const { status, stdout } = run(`${key}\n`, "--stdin", "ada", "requests=5", "expires=2027-01-31");
    expect(status).toBe(0);
    expect(stdout).not.toContain(key);
    expect(stdout).toContain(newKey("ada", ["requests=5", "expires=2027-01-31"], key).line);
  });

  it("says how it is used", () => {
    expect(execFileSync(process.execPath, [script, "--help"], { encoding: "utf8" })).toContain("--stdin");
  });
});

describe("keys of which only the digest is known", () => {
  const warnings = (...lines: string[]) => keyWarnings(lines);

  it("are warned about when it is a common password's", async () => {
    const weak = newKey("bob", [], "letmein");
    expect(await warnings(newKey("ada", []).line, weak.line)).toEqual([
      expect.stringMatching(
        /^The API key bob:[0-9a-f]{8} is one of the 10000 most common passwords.*rotate bob$/,
      ),
    ]);
    expect(await warnings(newKey("ada", []).line)).toEqual([]);
  });

  it("are warned about when none of them lets anybody in", async () => {
    const dead = [newKey("ada", ["expires=2020-01-01"]).line, newKey("bob", ["disabled"]).line];
    expect(await warnings(...dead)).toEqual([
      expect.stringContaining("Every API key has expired or is disabled"),
    ]);
    expect(await warnings(...dead, newKey("eve", []).line)).toEqual([]);
    expect(await warnings()).toEqual([]);
  });
});

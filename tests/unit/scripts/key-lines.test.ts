import { describe, expect, it } from "vitest";
import { keyId, newKey, parseKeys } from "../../../gateway/src/auth/api-keys.ts";
import { entryChanges } from "../../../scripts/keys/stack-keys.ts";
import {
  addKey,
  changeLines,
  isKeyAction,
  keyTable,
  linesOf,
  parseGracePeriod,
  revokeKey,
  rotateKey,
} from "../../../scripts/keys/key-lines.ts";

const HOUR = 3_600_000;
const now = Date.parse("2027-01-01T00:00:00Z");
const ada = newKey("ada", ["requests=5", "models=m"]);
const bob = newKey("bob", ["admin"]);
const lines = ["# team", ada.line, bob.line];
const idOf = (line: string) => keyId(parseKeys(line)[0] ?? expect.fail("no key"));
const digestLine = (key: string, fields: string) => newKey("ada", fields.split(" "), key).line;

describe("the keys of a stack", () => {
  it("are read from entries with several lines, including comments", () => {
    expect(linesOf([`# team\n${ada.line};${bob.line}`, ""])).toEqual(lines);
  });

  it("are listed without their digests", () => {
    const dead = newKey("eve", ["expires=2026-05-01"]);
    const table = keyTable([...lines, dead.line, newKey("tom", ["disabled"]).line], now).split("\n");
    expect(table[0]).toMatch(/^NAME +ID +STATE +FIELDS$/);
    expect(table[1]).toMatch(new RegExp(`^ada +${idOf(ada.line)} +valid +requests=5 models=m$`));
    expect(table[3]).toMatch(/^eve +[0-9a-f]{8} +expired 2026-05-02T00:00:00Z$/);
    expect(table[4]).toMatch(/^tom +[0-9a-f]{8} +disabled$/);
    expect(table.join()).not.toMatch(/[0-9a-f]{9}/);
  });

  it("end with an added key, unless its name is taken", () => {
    const added = addKey(lines, "eve", ["requests=1"]);
    expect(added.lines).toEqual([...lines, newKey("eve", ["requests=1"], added.key).line]);
    expect(() => addKey(lines, "ada", [])).toThrow(/The key 'ada' already exists.*rotate ada/);
    expect(() => addKey(lines, "eve", ["colour=red"])).toThrow(/unknown field/);
  });

  it("include both keys of a name during the grace period", () => {
    const { key, lines: rotated } = rotateKey(lines, "ada", 24 * HOUR, now);
    expect(rotated).toEqual([
      "# team",
      `${ada.line} expires=2027-01-02T00:00:00Z`,
      bob.line,
      digestLine(key, "requests=5 models=m"),
    ]);
    // Another rotation would lock out clients that still use the old key.
    expect(() => rotateKey(rotated, "ada", HOUR, now)).toThrow(
      `Revoke the one that is replaced: npm run keys -- revoke ada ${idOf(ada.line)}`,
    );
    // After the grace period, a rotation removes the old key.
    const again = rotateKey(rotated, "ada", HOUR, now + 48 * HOUR);
    expect(again.lines.filter((line) => line.startsWith("ada "))).toEqual([
      `${digestLine(key, "requests=5 models=m")} expires=2027-01-03T01:00:00Z`,
      digestLine(again.key, "requests=5 models=m"),
    ]);
  });

  it("do not extend a key's expiry when it is rotated", () => {
    const ending = newKey("ada", ["expires=2027-01-01T01:00:00Z"]);
    const { lines: rotated } = rotateKey([ending.line], "ada", 24 * HOUR, now);
    expect(rotated[0]).toBe(ending.line);
  });

  it("lose the old key at once without a grace period, or if it is disabled", () => {
    const { key, lines: rotated } = rotateKey(lines, "ada", 0, now);
    expect(rotated).toEqual(["# team", digestLine(key, "requests=5 models=m"), bob.line]);
    const disabled = newKey("ada", ["disabled", "requests=5"]);
    const after = rotateKey([disabled.line], "ada", HOUR, now);
    expect(after.lines).toEqual([digestLine(after.key, "requests=5")]);
  });

  it("lose a revoked key, or one of two with its name", () => {
    expect(revokeKey(lines, "ada").lines).toEqual(["# team", bob.line]);
    const { lines: rotated } = rotateKey(lines, "ada", HOUR, now);
    expect(revokeKey(rotated, "ada", idOf(ada.line)).lines).toEqual(["# team", bob.line, rotated[3]]);
    expect(revokeKey(rotated, "ada").lines).toEqual(["# team", bob.line]);
    expect(() => revokeKey(lines, "ada", "00000000")).toThrow("No key 'ada' has the id 00000000");
    expect(() => revokeKey(lines, "eve")).toThrow("There is no key 'eve'. Existing keys: ada, bob");
  });

  it("are changed by the commands in messages in the same stack", () => {
    const keysCommand = "npm run keys -- --stack prod";
    const { lines: rotated } = rotateKey(lines, "ada", HOUR, now);
    for (const [change, advice] of [
      [() => addKey(lines, "ada", [], keysCommand), "rotate ada"],
      [() => rotateKey(rotated, "ada", HOUR, now, keysCommand), `revoke ada ${idOf(ada.line)}`],
      [() => rotateKey(lines, "eve", HOUR, now, keysCommand), "add NAME"],
      [() => revokeKey(lines, "ada", "00000000", keysCommand), "list shows them"],
      [() => revokeKey(lines, "eve", undefined, keysCommand), "add NAME"],
    ] as const)
      expect(change).toThrow(`${keysCommand} ${advice}`);
  });

  it("keep the last key as disabled when it is revoked, so that the gateway does not open", () => {
    const { lines: left, done } = revokeKey(["# team", ada.line], "ada");
    expect(left).toEqual(["# team", `${ada.line} disabled`]);
    expect(done.join()).toContain("would be open to everyone");
    expect(revokeKey(left, "ada").lines).toEqual(left);
  });
});

describe("changes of the config's entries", () => {
  it.each<[readonly string[], readonly string[]]>([
    [["a"], ["a", "b"]],
    [
      ["#", "a", "b"],
      ["#", "a2", "b", "c"],
    ],
    [
      ["#", "a", "b", "c"],
      ["#", "b", "c"],
    ],
    [
      ["a", "b", "c", "d"],
      ["a", "d2"],
    ],
    [
      ["a; b", "c"],
      ["a", "b", "c"],
    ],
    [["a", "b"], ["a"]],
    [["a"], ["a"]],
    [[], ["a"]],
    [
      ["a", "a2", "b"],
      ["a2", "b"],
    ],
  ])("turn %j into %j one at a time", (before, after) => {
    const entries = [...before];
    for (const { index, value } of entryChanges(before, after)) {
      expect(index).toBeLessThanOrEqual(entries.length);
      if (value === undefined) entries.splice(index, 1);
      else entries[index] = value;
    }
    expect(entries).toEqual(after);
  });

  it("skip unchanged entries", () => {
    expect(entryChanges(["#", "a", "b", "c"], ["#", "b", "c"])).toEqual([{ index: 1, value: undefined }]);
    expect(entryChanges(["a", "b"], ["a2", "b", "c"])).toEqual([
      { index: 0, value: "a2" },
      { index: 2, value: "c" },
    ]);
  });
});

describe("npm run keys", () => {
  const change = { name: "ada", more: [], grace: HOUR, keysCommand: "npm run keys -- --stack prod" };

  it("adds, rotates and revokes keys", () => {
    expect(changeLines("add", lines, { ...change, name: "eve", more: ["admin"] }).lines.at(-1)).toMatch(
      /^eve .*admin/,
    );
    expect(changeLines("rotate", lines, change).lines).toHaveLength(lines.length + 1);
    expect(changeLines("revoke", lines, { ...change, more: [idOf(ada.line)] }).lines).toEqual([
      "# team",
      bob.line,
    ]);
    expect(["add", "rotate", "revoke", "list", "ad", undefined].filter(isKeyAction)).toHaveLength(3);
  });

  it("rejects operands that a change does not take, and names the stack in advice", () => {
    expect(() => changeLines("rotate", lines, { ...change, more: ["1", "2"] })).toThrow(
      "npm run keys -- rotate does not take 1 2",
    );
    expect(() => changeLines("revoke", lines, { ...change, more: ["1", "2"] })).toThrow(
      "npm run keys -- revoke does not take 1 2",
    );
    expect(() => changeLines("revoke", lines, { ...change, name: "eve" })).toThrow(
      "There is no key 'eve'. Existing keys: ada, bob. Create one with: npm run keys -- --stack prod add NAME",
    );
  });

  it("reads how long a rotated key stays valid", () => {
    expect(["0", "30m", "24h", "7d"].map(parseGracePeriod)).toEqual([0, HOUR / 2, 24 * HOUR, 168 * HOUR]);
    for (const text of ["", "1", "1w", "-1h", "1.5h", "12345m"])
      expect(() => parseGracePeriod(text), text).toThrow("must be a time such as 30m, 24h or 7d, or 0");
  });
});

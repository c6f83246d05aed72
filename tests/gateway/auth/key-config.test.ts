import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { ConfigError, readConfig } from "../../../gateway/src/config/config.ts";
import { fileOf } from "../../../test-support/gateway/key-requests.ts";

test.each(["# alice sha256=... (left)", " ", "\n", ";", "# nobody; # nobody"])(
  "rejects API_KEYS=%j, which contains no key",
  (text) => {
    expect(() => readConfig({ API_KEYS: text })).toThrow(ConfigError);
    expect(() => readConfig({ API_KEYS: text })).toThrow(/API_KEYS=.*at least one key/);
  },
);

test("rejects an API_KEYS_FILE of white space", () => {
  expect(() => readConfig({ API_KEYS_FILE: "  " })).toThrow(/API_KEYS_FILE=.*at least one key/);
});

test.each([{}, { API_KEYS: "" }, { API_KEYS_FILE: "" }])("%j configures no keys", (environment) => {
  const { API_KEYS, API_KEYS_FILE } = readConfig(environment);
  expect([API_KEYS, API_KEYS_FILE]).toEqual([[], undefined]);
});

test("checks the keys of the environment and the file together: keys of one name must have the same rights", () => {
  const [plain, admin] = [newKey("ada", []), newKey("ada", ["admin"])];
  const read = (): unknown => readConfig({ API_KEYS: plain.line, API_KEYS_FILE: fileOf(admin.line) });
  expect(read).toThrow(ConfigError);
  expect(read).toThrow(/API_KEYS and API_KEYS_FILE: the two keys 'ada' share their limits/);
});

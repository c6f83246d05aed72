import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { ConfigError, readConfig } from "../../../gateway/src/config/config.ts";
import { fileOf } from "../../../test-support/gateway/key-requests.ts";

test.each(["# alice sha256=... (left)", " ", "\n", ";", "# nobody; # nobody"])(
  "API_KEYS=%j asks for keys and has none: the gateway refuses to start",
  (text) => {
    expect(() => readConfig({ API_KEYS: text })).toThrow(ConfigError);
    expect(() => readConfig({ API_KEYS: text })).toThrow(/API_KEYS=.*at least one key/);
  },
);

test("an API_KEYS_FILE of white space names a file that is not there", () => {
  expect(() => readConfig({ API_KEYS_FILE: "  " })).toThrow(/API_KEYS_FILE=.*at least one key/);
});

test.each([{}, { API_KEYS: "" }, { API_KEYS_FILE: "" }])("%j asks for no keys", (environment) => {
  const { API_KEYS, API_KEYS_FILE } = readConfig(environment);
  expect([API_KEYS, API_KEYS_FILE]).toEqual([[], undefined]);
});

test("keys of the environment and of the file are checked together: one key must not have two consumers' rights", () => {
  const [plain, admin] = [newKey("ada", []), newKey("ada", ["admin"])];
  const read = (): unknown => readConfig({ API_KEYS: plain.line, API_KEYS_FILE: fileOf(admin.line) });
  expect(read).toThrow(ConfigError);
  expect(read).toThrow(/API_KEYS and API_KEYS_FILE: the two keys 'ada' share their limits/);
});

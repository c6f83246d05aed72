import { expect, test } from "vitest";
import { AllowedOrigins, parseAllowedOrigin } from "../../../../gateway/src/lib/network/allowed-origins.ts";

function isAllowed(origin: string, ...entries: readonly string[]): boolean {
  return new AllowedOrigins(entries.map(parseAllowedOrigin)).has(origin);
}

test.each([
  "http://localhost",
  "https://localhost:3000",
  "http://chat.localhost:5173",
  "http://127.0.0.1:8080",
  "https://0.0.0.0",
  "http://[::1]:3000",
  "app://obsidian.md",
  "file://",
  "tauri://localhost",
  "vscode-webview://1a2b",
  "vscode-file://vscode-app",
])("allows %s by default", (origin) => {
  expect(isAllowed(origin)).toBe(true);
});

test.each([
  "null",
  "https://example.org",
  "http://localhost.example.org",
  "http://127.0.0.1.example.org",
  "http://evil-localhost",
  "http://localhost:3000.example.org",
  "http://192.168.1.5:3000",
  "chrome-extension://abc",
  "x-app://obsidian.md",
  "ftp://localhost",
])("does not allow %s by default", (origin) => {
  expect(isAllowed(origin)).toBe(false);
});

test.each([
  ["https://chat.example.org", "https://chat.example.org", true],
  ["https://chat.example.org", "http://chat.example.org", false],
  ["https://chat.example.org", "https://chat.example.org:8443", false],
  ["HTTPS://Chat.Example.org/", "https://chat.example.org", true],
  ["https://*.example.org", "https://chat.example.org", true],
  ["https://*.example.org", "https://example.org", false],
  ["https://*.example.org", "https://evil.org", false],
  ["http://192.168.1.5:*", "http://192.168.1.5:3000", true],
  ["http://192.168.1.5:*", "http://192.168.1.50:3000", false],
  ["https://ab*ba.org", "https://aba.org", false],
  ["chrome-extension://*", "chrome-extension://abcdef", true],
  ["*", "https://anything.example", true],
  ["*", "null", true],
])("entry %s allows %s: %s", (entry, origin, expected) => {
  expect(isAllowed(origin, entry)).toBe(expected);
});

test.each(["example.org", "https://", "https://a.org/path", "https://*.*.org", "https://a b", "://a", "**"])(
  "rejects the malformed origin '%s'",
  (entry) => {
    expect(() => parseAllowedOrigin(entry)).toThrow(/is not an origin/);
  },
);

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { chosenBackend, stateEnvironment } from "../../../scripts/stack/backend.ts";
import { backendUrl } from "../../../scripts/stack/backend-url.ts";

const folder = mkdtempSync(join(tmpdir(), "backend-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const [home, loggedIn] = [join(folder, "home"), folder];
writeFileSync(join(loggedIn, "credentials.json"), JSON.stringify({ current: "s3://states" }));

it.each<[how: string, environment: Record<string, string>, pulumiHome: string, backend: string | undefined]>([
  ["nothing", {}, home, undefined],
  ["an empty PULUMI_BACKEND_URL", { PULUMI_BACKEND_URL: "" }, loggedIn, "s3://states"],
  ["a login", {}, loggedIn, "s3://states"],
  ["a login in PULUMI_CREDENTIALS_PATH", { PULUMI_CREDENTIALS_PATH: loggedIn }, home, "s3://states"],
  ["PULUMI_ACCESS_TOKEN", { PULUMI_ACCESS_TOKEN: "pul-x" }, home, "https://"],
  ["PULUMI_ACCESS_TOKEN and a login", { PULUMI_ACCESS_TOKEN: "pul-x" }, loggedIn, "s3://states"],
  ["PULUMI_BACKEND_URL", { PULUMI_BACKEND_URL: "gs://b", PULUMI_ACCESS_TOKEN: "pul-x" }, loggedIn, "gs://b"],
])("chooses the backend, given %s", (_how, environment, pulumiHome, backend) => {
  expect(chosenBackend({ PULUMI_HOME: pulumiHome, ...environment })).toBe(backend);
});

it("uses the project's own state and passphrase unless a backend is chosen", () => {
  const state = join(folder, "state");
  const own = (environment: Record<string, string>) =>
    stateEnvironment({ OLLAMA_STACK_STATE: state, PULUMI_HOME: home, ...environment });
  expect(own({})).toEqual({
    PULUMI_BACKEND_URL: `${backendUrl(join(state, "backend"))}?metadata=skip`,
    PULUMI_CONFIG_PASSPHRASE_FILE: join(state, "passphrase"),
  });
  expect(existsSync(join(state, "passphrase"))).toBe(true);
  expect(own({ PULUMI_ACCESS_TOKEN: "pul-x", PULUMI_CONFIG_PASSPHRASE: "" })).toEqual({});
});

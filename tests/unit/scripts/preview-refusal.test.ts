import { describe, expect, it } from "vitest";
import { brokenRulesIn, describeRefusal, errorsIn } from "../../../scripts/preview/refusal.ts";

describe("a rejected preview", () => {
  it("lists the program's errors, one per line, instead of the CLI's JSON", () => {
    const diagnostics = [
      { severity: "info", message: "Model tiny:1b: it will be pulled, 98.4 MB\n" },
      { severity: "error", message: "error: Port 1 is in use. Stop that\nPort 2 is in use. Stop that\n" },
      { severity: "error", message: "error: preview failed\n" },
    ];
    const reasons = errorsIn(
      `world: built\n${JSON.stringify({ config: {}, steps: [], diagnostics }, null, 4)}`,
    );
    expect(reasons).toEqual(["Port 1 is in use. Stop that", "Port 2 is in use. Stop that"]);
    expect(describeRefusal(reasons)).toMatch(/^\*\*Refused\*\*.*\n\n- Port 1 .*\n- Port 2 .*$/);
  });

  it("lists each broken production rule with its resource and fix", () => {
    const text = `Policies:
    ❌ production@v0.1.0 (local: policy)
        - [mandatory]  keys-required  (ollama-stack:index:Gateway: gateway)
          The gateway requires a key.
          It has no key, so anyone who can reach it has access. Create one with npm run new-key -- NAME, and add the printed line to gatewayApiKeys.
        - [mandatory]  models-pinned  (ollama-stack:index:OllamaModel: model-tiny:1b)
          Models are pinned by digest.
          tiny:1b may refer to another model tomorrow. Write its digest into the stack's config with: npm run pin

Diagnostics:
  pulumi:pulumi:Stack (ollama-stack-prod):
    error: preview failed
`;
    expect(brokenRulesIn(text)).toEqual([
      "`keys-required`, gateway: It has no key, so anyone who can reach it has access. Create one with npm run new-key -- NAME, and add the printed line to gatewayApiKeys.",
      "`models-pinned`, model-tiny:1b: tiny:1b may refer to another model tomorrow. Write its digest into the stack's config with: npm run pin",
    ]);
  });

  it("has no reasons if the output has none", () => {
    expect([errorsIn(""), errorsIn(`{"steps":[]}`), brokenRulesIn("error: no engine")]).toEqual([[], [], []]);
  });
});

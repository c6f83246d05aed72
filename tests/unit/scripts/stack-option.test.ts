import { expect, it } from "vitest";
import { commandWith, stackOptionFor } from "../../../scripts/cli/stack-option.ts";

const built = { fromTools: "local", hasToolsOption: false, fromEnvironment: undefined };

it.each([
  ["the stack of the tools", { ...built, chosen: "local" }, ""],
  ["another one", { ...built, chosen: "prod" }, " -- --stack prod"],
  ["the one in PULUMI_STACK", { ...built, chosen: "prod", fromEnvironment: "prod" }, ""],
  [
    "the stack of the tools, but not the one in PULUMI_STACK",
    { ...built, chosen: "local", fromEnvironment: "prod" },
    " -- --stack local",
  ],
  // The next command would choose the tools by itself.
  ["the stack of --tools", { ...built, chosen: "local", hasToolsOption: true }, " -- --stack local"],
  [
    "the one in PULUMI_STACK, with --tools",
    { ...built, chosen: "prod", hasToolsOption: true, fromEnvironment: "prod" },
    "",
  ],
])("the next command names its stack unless it would choose the same one: %s", (_which, choice, option) => {
  expect(stackOptionFor(choice)).toBe(option);
});

it("a command with more arguments has the option before them", () => {
  expect(commandWith("keys", "")).toBe("npm run keys --");
  expect(commandWith("keys", " -- --stack prod")).toBe("npm run keys -- --stack prod");
});

import { expect, it } from "vitest";
import { commandWith, stackOptionFor } from "../../../scripts/cli/stack-option.ts";

const built = { fromTools: "local", hasToolsOption: false, fromEnvironment: undefined };

it.each([
  ["the stack of the tools", { ...built, chosen: "local" }, ""],
  ["another one", { ...built, chosen: "prod" }, " -- --stack prod"],
  // Another shell may lack the variable.
  ["the one in PULUMI_STACK", { ...built, chosen: "prod", fromEnvironment: "prod" }, " -- --stack prod"],
  [
    "the stack of the tools, also in PULUMI_STACK",
    { ...built, chosen: "local", fromEnvironment: "local" },
    "",
  ],
  [
    "the stack of the tools, but not the one in PULUMI_STACK",
    { ...built, chosen: "local", fromEnvironment: "prod" },
    " -- --stack local",
  ],
  // The next command would choose the tools by itself.
  ["the stack of --tools", { ...built, chosen: "local", hasToolsOption: true }, " -- --stack local"],
])(
  "the next command names its stack unless it would surely choose the same one: %s",
  (_which, choice, option) => {
    expect(stackOptionFor(choice)).toBe(option);
  },
);

it("a command with more arguments has the option before them", () => {
  expect(commandWith("keys", "")).toBe("npm run keys --");
  expect(commandWith("keys", " -- --stack prod")).toBe("npm run keys -- --stack prod");
});

import { expect, it } from "vitest";
import { confirmChange } from "../../../scripts/cli/dialogs.ts";

const change = {
  change: "destroying the stack dev",
  command: "npm run destroy -- --stack dev",
  question: "Destroy it?",
};

it("makes a change with --yes, and otherwise only if someone can confirm it", async () => {
  expect(await confirmChange(true, change)).toBe(true);
  await expect(confirmChange(undefined, change)).rejects.toThrow(
    /^destroying the stack dev requires confirmation; confirm with: npm run destroy -- --stack dev --yes$/,
  );
});

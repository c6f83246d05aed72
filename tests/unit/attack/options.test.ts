import { describe, expect, it } from "vitest";
import { readOptions } from "../../../attack/options.ts";

describe("the options of npm run attack", () => {
  it("default to 20 minutes of all sections", () => {
    expect(readOptions({})).toMatchObject({
      minutes: 20,
      only: [1, 2, 3, 4, 5, 6, 7],
    });
  });

  it("are parsed from text", () => {
    const options = { minutes: "0.5", only: "3,1", seed: "42" };
    expect(readOptions(options)).toEqual({ minutes: 0.5, only: [3, 1], seed: 42 });
  });

  it.each([
    [{ minutes: "soon" }, "--minutes is soon, but must be a number of minutes from 0 to 1440"],
    [{ minutes: "1441" }, "--minutes is 1441"],
    [{ only: "8" }, "--only is 8, but must be sections from 1 to 7"],
    [{ seed: "1.5" }, "--seed is 1.5, but must be a whole number"],
  ])("reject %j and name the allowed values", (options, message) => {
    expect(() => readOptions(options)).toThrow(message);
  });
});

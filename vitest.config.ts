import { defineConfig } from "vitest/config";

const minutes = 60_000;

// unit and gateway are the fast part; smoke and e2e need an engine and a stack, and run one file at a time.
export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["tests/unit/**/*.test.ts"] } },
      {
        test: {
          name: "gateway",
          include: ["tests/gateway/**/*.test.ts"],
          // Each test has a gateway and an Ollama of its own; loading the clients anew for each file took half the time.
          isolate: false,
        },
      },
      {
        test: {
          name: "smoke",
          include: ["tests/smoke/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 2 * minutes,
          hookTimeout: 5 * minutes,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["tests/e2e/**/*.test.ts"],
          fileParallelism: false,
          // After the others: a model that shares its cores answers many times slower.
          sequence: { groupOrder: 1 },
          testTimeout: 10 * minutes,
          hookTimeout: 15 * minutes,
        },
      },
    ],
  },
});

import { describe, expect, test } from "vitest";
import { docker } from "../../engine/docker-cli.ts";
import { DEFAULT_PORT } from "../../gateway/src/config/config.ts";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { keptLoaded } from "./kept-loaded.ts";

/**
 * Tests Ollama's command line, run in Ollama's container and directed to the gateway by `OLLAMA_HOST`. The first model must
 * have `keepLoaded`.
 */
export function describeOllamaCli(deployed: () => StackOutputs): void {
  const ollama = (...args: string[]) =>
    docker([
      ...["container", "exec", "--env", `OLLAMA_HOST=http://gateway:${String(DEFAULT_PORT)}`],
      ...[deployed().containers.ollama, "ollama", ...args],
    ]);
  const model = () => deployed().installedModels[0]?.model ?? "";

  describe("Ollama's command line", () => {
    test("ollama run prints a response", async () => {
      expect((await ollama("run", model(), "Say hello.")).trim()).not.toBe("");
    });

    test("ollama list, ps and show report the model", async () => {
      const { digest } = deployed().installedModels[0] ?? {};
      for (const output of [await ollama("list"), await ollama("ps")]) {
        expect(output).toContain(model());
        expect(output).toContain(digest?.slice(0, 12));
      }
      expect(await ollama("show", model())).toContain("completion");
    });

    test("ollama rm and pull are rejected with the reason, and the model is loaded again", async () => {
      for (const change of ["rm", "pull"]) {
        await expect(ollama(change, model())).rejects.toThrow(
          "Modifying the server requires a key with the admin flag",
        );
      }
      expect(await ollama("list")).toContain(model());
      // Before it requests the deletion, rm unloads the model, as any client may by keep_alive.
      await expect
        .poll(() => keptLoaded(deployed().ollamaUrl, model()), { timeout: 30_000, interval: 200 })
        .toBe(true);
    });
  });
}

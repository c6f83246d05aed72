import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { dockerApi, EngineHangs } from "../../../engine/docker-api.ts";

test("distinguishes an engine that accepts connections but does not respond from one that is not running", async () => {
  const folder = mkdtempSync(join(tmpdir(), "docker-api-"));
  const socket = join(folder, "docker.sock");
  const engine = createServer(() => undefined);
  try {
    const ping = () => dockerApi(socket, 200).ping();
    await expect(ping()).rejects.toMatchObject({ code: "ENOENT" });
    await new Promise<void>((resolve) => engine.listen(socket, resolve));
    await expect(ping()).rejects.toThrow(
      new EngineHangs(
        `the Docker engine at ${socket} accepts connections but does not respond within 0.2 s: restart it (sudo systemctl restart docker)`,
      ),
    );
  } finally {
    engine.close();
    rmSync(folder, { recursive: true });
  }
});

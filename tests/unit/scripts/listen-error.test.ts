import { createServer, type AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { refusedPort } from "../../../scripts/connect/listen-error.ts";

const gateway = { name: "gateway", port: 443 } as const;
const failed = (code: string) => Object.assign(new Error(`listen ${code}: 127.0.0.1:443`), { code });

/** A port in use, and the error of listening on it. */
async function listenOnUsedPort(): Promise<{ port: number; error: unknown }> {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const { port } = holder.address() as AddressInfo;
  const error = await new Promise((resolve) =>
    createServer().once("error", resolve).listen(port, "127.0.0.1"),
  );
  holder.close();
  return { port, error };
}

describe("the error of npm run forward for a port that it cannot bind", () => {
  it("names a port in use, and the command that chooses another", async () => {
    const { port, error } = await listenOnUsedPort();
    expect(refusedPort(error, { name: "ollama", port }, { stack: "far" })).toEqual(
      new Error(
        `cannot listen on 127.0.0.1:${String(port)} for ollama: in use by another program, perhaps another npm run forward. End that, or choose another port: npm run pulumi -- config set --stack far ollamaPort NUMBER, then npm run up -- --stack far`,
      ),
    );
  });

  it("explains a privileged port, and how to allow it on Linux", () => {
    expect(refusedPort(failed("EACCES"), gateway, { stack: "far", platform: "linux" })).toEqual(
      new Error(
        "cannot listen on 127.0.0.1:443 for gateway: permission denied (EACCES). Allow it until the next boot: sudo sysctl net.ipv4.ip_unprivileged_port_start=443, or choose another port: npm run pulumi -- config set --stack far gatewayPort NUMBER, then npm run up -- --stack far",
      ),
    );
    expect(refusedPort(failed("EACCES"), gateway, { stack: "far", platform: "darwin" })).toMatchObject({
      message: expect.stringContaining(
        "permission denied (EACCES). Run this as an administrator, or choose",
      ) as string,
    });
  });

  it("suggests no other port for an ACME edge, whose authority connects to this one", () => {
    const edge = { container: "s-edge", mode: "acme" };
    expect(refusedPort(failed("EADDRINUSE"), gateway, { stack: "far", edge })).toMatchObject({
      message: expect.stringMatching(/another npm run forward\. End that$/) as string,
    });
    expect(
      refusedPort(failed("EADDRINUSE"), { name: "ollama", port: 8008 }, { stack: "far", edge }),
    ).toMatchObject({ message: expect.stringContaining("ollamaPort NUMBER") as string });
  });

  it("is unchanged if it has another cause", () => {
    const error = failed("EMFILE");
    expect(refusedPort(error, gateway, { stack: "far" })).toBe(error);
  });
});

import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { fastify } from "fastify";
import { expect, onTestFinished, test, vi } from "vitest";
import { parseProxies, TrustedProxies } from "../../../gateway/src/lib/network/trusted-proxies.ts";
import { findClientAddress } from "../../../gateway/src/plugins/client-address.ts";

test("runs no further hooks for a client that disconnects during the lookup of its proxy's name", async () => {
  const proxies = new TrustedProxies(parseProxies(["proxy.invalid"]));
  const { promise: lookup, resolve: endLookup } = Promise.withResolvers<undefined>();
  const refresh = vi.spyOn(proxies, "refresh").mockReturnValue(lookup);
  const app = fastify();
  onTestFinished(() => app.close());
  findClientAddress(app, proxies);
  let entered = 0;
  app.addHook("onRequest", (_request, reply, done) => {
    entered += 1;
    reply.raw.once("close", () => (entered -= 1));
    done();
  });
  app.get("/", () => "");
  let left = false;
  app.server.on("connection", (socket) => socket.once("close", () => (left = true)));
  await app.listen({ host: "127.0.0.1", port: 0 });

  const { port } = app.server.address() as AddressInfo;
  const client = connect(port, "127.0.0.1").on("error", () => undefined);
  await once(client, "connect");
  client.write("GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-forwarded-for: 192.0.2.7\r\n\r\n");
  await expect.poll(() => refresh.mock.calls.length).toBe(1);
  client.resetAndDestroy();
  await expect.poll(() => left).toBe(true);
  endLookup(undefined);
  await lookup;
  await new Promise(setImmediate);
  expect(entered).toBe(0);
});

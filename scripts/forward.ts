// npm run forward: what of a stack is not published, or on another machine, on loopback ports of this one: those that it
// has there or in its network. Until it is interrupted.
import { Tunnel } from "../components/tunnel/tunnel.ts";
import { main } from "./main.ts";
import { readOutputs } from "./outputs.ts";
import { openSession } from "./session.ts";

await main(async () => {
  const { stack, env } = await openSession(process.argv.slice(2));
  const { tunnel: end, gatewayUrl, ollamaUrl } = await readOutputs(stack, env);
  if (end === undefined)
    throw new Error(`The engine of the stack ${stack} is this machine's: ${gatewayUrl} works as it is`);
  const tunnel = await Tunnel.open(end);
  try {
    for (const [name, target, url] of [
      ["gateway", end.gateway, gatewayUrl],
      ["ollama", end.ollama, ollamaUrl],
    ] as const) {
      if (target === undefined) continue;
      const port = await tunnel.listen(target, Number(new URL(url).port));
      console.log(`${name}: http://127.0.0.1:${String(port)}`);
    }
    console.log("until you press Ctrl-C");
    await new Promise((resolve) => {
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, resolve);
    });
  } finally {
    await tunnel.close();
  }
});

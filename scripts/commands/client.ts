// npm run client -- NAME: starts a coding agent so that it uses a running stack. Arguments after a -- of their own are the
// agent's.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { command } from "../cli/command.ts";
import { UsageError } from "../cli/command-line.mjs";
import { openSession } from "../cli/session.ts";
import { endpointOf, withContextLength } from "../connect/client-endpoint.ts";
import { launches } from "../connect/client-launches.ts";
import { KEY_VARIABLE } from "../connect/client-recipes.ts";
import { readOutputs } from "../stack/outputs.ts";

await command("client", async ({ options, operands, passed }) => {
  const [name = "", ...more] = operands;
  const launch = Object.hasOwn(launches, name) ? launches[name] : undefined;
  if (launch === undefined || more.length > 0)
    throw new UsageError(`npm run client needs one of ${Object.keys(launches).join(", ")}`);
  const { stack, env } = await openSession(options);
  const endpoint = endpointOf(await readOutputs(stack, env));
  const key = process.env[KEY_VARIABLE];
  if (endpoint.needsKey && key === undefined)
    throw new Error(`The gateway needs a key: set ${KEY_VARIABLE}. npm run keys -- add NAME makes one.`);
  const { command: program, args, env: added, install } = launch(await withContextLength(endpoint, key), key);
  const child = spawn(program, [...args, ...passed], {
    stdio: "inherit",
    cwd: process.env["INIT_CWD"],
    env: { ...process.env, ...added },
  });
  child.once("error", (error: NodeJS.ErrnoException) => {
    const why = error.code === "ENOENT" ? `it is not installed. Install it: ${install}` : error.message;
    console.error(`error: cannot start ${program}: ${why}`);
  });
  const [code] = (await once(child, "close")) as [number | null];
  process.exitCode = code ?? 1;
});

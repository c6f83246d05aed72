// npm run clients: prints, for a running stack, the lines that connect the usual clients to it.
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";
import { endpointOf, withContextLength } from "../connect/client-endpoint.ts";
import { launches } from "../connect/client-launches.ts";
import { KEY_VARIABLE, recipes } from "../connect/client-recipes.ts";
import { readOutputs } from "../stack/outputs.ts";

await command("clients", async ({ options }) => {
  const { stack, stackOption, env } = await openSession(options);
  const endpoint = await withContextLength(
    endpointOf(await readOutputs(stack, env)),
    process.env[KEY_VARIABLE],
  );
  const sections = recipes.map(
    ({ title, place, lines }) => `# ${title} (${place})\n${lines(endpoint).join("\n")}`,
  );
  console.log(sections.join("\n\n"));
  if (endpoint.needsKey)
    console.log(`\nThe gateway needs a key: have it in ${KEY_VARIABLE}. npm run keys -- add NAME makes one.`);
  const prefix = stackOption === "" ? " --" : stackOption;
  console.log(
    `\nOr start one with all of this set: npm run client${prefix} ${Object.keys(launches).join("|")}`,
  );
});

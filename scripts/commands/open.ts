// npm run open: the console of a stack in a browser.
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";
import { openInBrowser } from "../connect/browser.ts";
import { readOutputs } from "../stack/outputs.ts";
import { settingsFor } from "../stack/settings.ts";

await command("open", async ({ options }) => {
  const { stack, stackOption, env } = await openSession(options);
  const { gatewayUrl, tunnel, keysRequired } = await readOutputs(stack, env);
  const hasConsole = String(settingsFor(stack, [])("console")) === "true";
  // Without a console, the description of the API is what a browser can show.
  const url = hasConsole ? `${gatewayUrl}/console/` : `${gatewayUrl}/openapi.json`;
  if (tunnel?.gateway !== undefined)
    console.log(
      `The stack is on another machine; while this runs, its port is here: npm run forward${stackOption}`,
    );
  if (keysRequired && hasConsole) console.log("The console asks for a key of the gateway.");
  if (keysRequired && !hasConsole) console.log("The gateway requires a key, which a browser does not send.");
  const isOpened = options.print !== true && (await openInBrowser(url, process.platform, process.env));
  console.log(isOpened ? `Opened ${url}` : url);
});

// npm run open: the gateway of a stack in a browser.
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";
import { openInBrowser } from "../connect/browser.ts";
import { readOutputs } from "../stack/outputs.ts";

await command("open", async ({ options }) => {
  const { stack, stackOption, env } = await openSession(options);
  const { gatewayUrl, tunnel, keysRequired } = await readOutputs(stack, env);
  // Its description is what a browser can show of an API.
  const url = `${gatewayUrl}/openapi.json`;
  if (tunnel?.gateway !== undefined)
    console.log(
      `The stack is on another machine; while this runs, its port is here: npm run forward${stackOption}`,
    );
  if (keysRequired) console.log("The gateway requires a key, which a browser does not send.");
  const isOpened = options.print !== true && (await openInBrowser(url, process.platform, process.env));
  console.log(isOpened ? `Opened ${url}` : url);
});

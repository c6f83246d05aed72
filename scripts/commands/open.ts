// npm run open: opens the console of a stack in a browser.
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";
import { openInBrowser } from "../connect/browser.ts";
import { forwardGateway, interrupted } from "../connect/cluster-gateway.ts";
import { forwardedUrl, openCluster } from "../stack/cluster-outputs.ts";
import { readOutputs } from "../stack/outputs.ts";
import { type Settings, settingsFor } from "../stack/settings.ts";
import { isOnCluster } from "../stack/stack-file.ts";

await command("open", async ({ options }) => {
  const { stack, stackOption, env } = await openSession(options);
  const settings = settingsFor(stack, []);
  const isPrinted = options.print === true;
  if (isOnCluster(stack)) {
    await openFromCluster(stack, env, settings, isPrinted);
    return;
  }
  const { gatewayUrl, tunnel, keysRequired } = await readOutputs(stack, env);
  if (tunnel?.gateway !== undefined)
    console.log(
      `The stack is on another machine; to reach its port here, keep this running: npm run forward${stackOption}`,
    );
  await show(gatewayUrl, { settings, keysRequired, isPrinted });
});

/** Opens its public address, or else forwards a port of this machine until Ctrl-C. */
async function openFromCluster(
  stack: string,
  env: NodeJS.ProcessEnv,
  settings: Settings,
  isPrinted: boolean,
): Promise<void> {
  const { outputs, kubectl } = await openCluster(stack, env, settings);
  const page = { settings, keysRequired: outputs.keysRequired, isPrinted };
  if (outputs.publicUrl !== undefined) {
    await show(outputs.publicUrl, page);
    return;
  }
  let shown: Promise<void> | undefined;
  await forwardGateway(kubectl, outputs, interrupted(), () => {
    shown = show(forwardedUrl(outputs), page).then(() => {
      console.log("until you press Ctrl-C");
    });
  });
  await shown;
}

interface Page {
  readonly settings: Settings;
  readonly keysRequired: boolean;
  readonly isPrinted: boolean;
}

async function show(gatewayUrl: string, { settings, keysRequired, isPrinted }: Page): Promise<void> {
  const hasConsole = String(settings("console")) === "true";
  // Without a console, a browser can only show the description of the API.
  const url = hasConsole ? `${gatewayUrl}/console/` : `${gatewayUrl}/openapi.json`;
  if (keysRequired && hasConsole) console.log("The console prompts for an API key.");
  if (keysRequired && !hasConsole) console.log("The gateway requires a key, which a browser does not send.");
  const isOpened = !isPrinted && (await openInBrowser(url, process.platform, process.env));
  console.log(isOpened ? `Opened ${url}` : url);
}

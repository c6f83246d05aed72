import { pullFailure } from "../registry/pull-failure.ts";
import { locksIn } from "../stack/pulumi-cli.ts";

/** What to do about a failure for which the CLI gives no advice. */
export function explain(stderr: string): string | undefined {
  const [lock] = locksIn(stderr);
  if (lock !== undefined) {
    return (
      `The stack is locked by ${lock.user} on ${lock.host} (pid ${String(lock.pid)}), by an update that is running or was interrupted. ` +
      `Wait until it ends; if it no longer runs: npm run pulumi -- cancel --stack NAME`
    );
  }
  if (/incorrect passphrase/i.test(stderr)) {
    return (
      "The passphrase is not the one that encrypted the stack's secrets. " +
      "Set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the correct one."
    );
  }
  const missing = /no stack named '([^']+)'/i.exec(stderr)?.[1];
  if (missing !== undefined)
    return (
      "See the stacks of this state with: npm run pulumi -- stack ls. If it is deployed, use the login or PULUMI_BACKEND_URL " +
      `that it was deployed with; to create it: npm run up -- --stack ${missing}`
    );
  const lacking = lackingImages(stderr);
  return lacking.length > 0 ? [...new Set(lacking)].join("\n") : undefined;
}

/** Parses the provider's messages about failed pulls: "ollama-image: ... unable to pull image NAME: WHY: provider=..." */
function lackingImages(message: string): string[] {
  const failed =
    /^(ollama|gateway-base|edge|prometheus)-image: .*unable to (?:find or )?pull image (\S+?)(?:: (.+))?$/gm;
  return [...message.replaceAll(/: provider=\S+$/gm, "").matchAll(failed)].map(
    ([, part = "", image = "", why]) => {
      const key = `${part.replace("-base", "Base")}Image`;
      const reason = why?.replace(/^.*Error response from daemon: /, "") ?? "its registry gave none";
      return pullFailure(key, image, reason);
    },
  );
}

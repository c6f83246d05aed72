import { docker } from "../../engine/docker-cli.ts";

const NAMES = [
  "content-security-policy",
  "x-frame-options",
  "x-content-type-options",
  "referrer-policy",
  "permissions-policy",
  "cross-origin-opener-policy",
  "cross-origin-resource-policy",
  "cache-control",
];

/** The console's security headers, as sent by a gateway's container. */
export async function consoleHeaders(container: string): Promise<Record<string, string>> {
  const script = `
    const { headers } = await fetch("http://127.0.0.1:" + process.env.PORT + "/console/");
    console.log(JSON.stringify(Object.fromEntries(headers)));`;
  const run = ["container", "exec", container, "node", "--input-type=module", "--eval", script];
  const sent = JSON.parse(await docker(run)) as Record<string, string>;
  return Object.fromEntries(
    NAMES.map((name) => {
      const value = sent[name];
      if (value === undefined) throw new Error(`${container} sends no ${name}`);
      return [name, value];
    }),
  );
}

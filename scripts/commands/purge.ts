// npm run purge: removes what stays after the last destroy. Says what and how large, then asks; `-- --yes` does not.
// With --stack NAME only what that stack has left, on the engine that its config names.
import { isInteractive, confirm } from "../cli/dialogs.ts";
import { clientVariables, engineName } from "../stack/deployed-engine.ts";
import { command } from "../cli/command.ts";
import { type Leftover, onEngine } from "../purge/engine-leftovers.ts";
import { deployedStacks, folders } from "../purge/local-leftovers.ts";
import { engineOf } from "../stack/stack-file.ts";

await command("purge", async ({ options: { stack, yes } }) => {
  const address = engineOf(stack);
  if (address.dockerHost !== "") Object.assign(process.env, clientVariables(address, process.env));
  const engine = await onEngine(stack);
  if (engine === undefined) {
    const which = address.dockerHost === "" ? "" : ` at ${address.dockerHost}`;
    console.error(
      `The Docker engine${which} does not answer: what there is on it stays, and is not in the list.`,
    );
  }
  const [running] = engine?.running ?? [];
  if (running !== undefined)
    throw new Error(`the container ${running} is still there; take its stack down first: npm run destroy`);
  const [deployed] = stack === undefined ? await deployedStacks() : [];
  if (deployed !== undefined)
    throw new Error(
      `the stack ${deployed} is still there; take it down first: npm run destroy -- --stack ${deployed}`,
    );
  const leftovers = [...(engine?.leftovers ?? []), ...(stack === undefined ? await folders() : [])];
  if (leftovers.length === 0) {
    console.log("Nothing is left to remove.");
    return;
  }
  console.log(table(leftovers));
  if (yes !== true) {
    const option = stack === undefined ? "" : ` --stack ${stack}`;
    if (!isInteractive())
      throw new Error(`nothing is removed without a yes; say it with: npm run purge --${option} --yes`);
    const whose = stack === undefined ? "of every stack" : `of the stack ${stack}`;
    if (!(await confirm(`Remove all this, ${whose} on ${engineName(address)}?`))) return;
  }
  for (const { remove } of leftovers) await remove();
  console.log(`Removed: ${String(leftovers.length)}`);
});

function table(leftovers: readonly Leftover[]): string {
  const width = (column: "kind" | "size") => Math.max(...leftovers.map((each) => each[column].length));
  const [kinds, sizes] = [width("kind"), width("size")];
  return leftovers
    .map(({ kind, name, size }) => `${kind.padEnd(kinds)}  ${size.padStart(sizes)}  ${name}`)
    .join("\n");
}

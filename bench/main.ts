// npm run bench: what is measured is measured here. README.md says how, and what the numbers mean.
import { main } from "../scripts/cli/main.ts";
import { SetupError } from "../host/exec.ts";
import { benchDeployment } from "./deployment.ts";
import { benchGateway } from "./gateway.ts";
import { benchImage } from "./image.ts";

const benchmarks = { deployment: benchDeployment, gateway: benchGateway, image: benchImage };

await main(async () => {
  const [first, ...rest] = process.argv.slice(2);
  if (first === undefined || first.startsWith("-")) {
    await benchGateway(process.argv.slice(2));
    return;
  }
  if (!Object.hasOwn(benchmarks, first))
    throw new SetupError(
      `there is no benchmark "${first}": it must be one of ${Object.keys(benchmarks).join(", ")}`,
    );
  await benchmarks[first as keyof typeof benchmarks](rest);
});

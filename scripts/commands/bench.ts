// npm run bench: runs the benchmarks. bench/README.md explains the method and the numbers.
import { benchDeployment } from "../../bench/deployment.ts";
import { benchGateway } from "../../bench/gateway.ts";
import { benchImage } from "../../bench/image.ts";
import { benchRegression } from "../../bench/regression.ts";
import { benchScale } from "../../bench/scale.ts";
import { SetupError } from "../../host/exec.ts";
import { command } from "../cli/command.ts";

const benchmarks = {
  deployment: benchDeployment,
  gateway: benchGateway,
  image: benchImage,
  regression: benchRegression,
  scale: benchScale,
};

await command("bench", async ({ options, operands: [name = "gateway", ...more] }) => {
  if (!Object.hasOwn(benchmarks, name) || more.length > 0)
    throw new SetupError(
      `there is no benchmark "${[name, ...more].join(" ")}": it must be one of ${Object.keys(benchmarks).join(", ")}`,
    );
  await benchmarks[name as keyof typeof benchmarks](options);
});

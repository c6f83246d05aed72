import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { runProcess } from "../../../host/run-process.ts";
import { findGo } from "../../../toolchain/go.ts";

// Custom resource definitions of common add-ons, from the Go modules of their projects.

interface Source {
  readonly module: string;
  /** Checksum of the module, as in go.sum. */
  readonly sum: string;
  readonly files: readonly string[];
}

const sources: readonly Source[] = [
  {
    module: "sigs.k8s.io/gateway-api@v1.6.3",
    sum: "h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc=",
    // A stack has gateways and routes; a controller requires the others.
    files: [
      "gateways",
      "httproutes",
      "gatewayclasses",
      "grpcroutes",
      "referencegrants",
      "backendtlspolicies",
      "tlsroutes",
    ].map((name) => `config/crd/standard/gateway.networking.k8s.io_${name}.yaml`),
  },
  {
    module: "github.com/kedacore/keda/v2@v2.21.0",
    sum: "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
    files: ["scaledobjects", "triggerauthentications"].map((name) => `config/crd/bases/keda.sh_${name}.yaml`),
  },
  {
    module: "github.com/prometheus-operator/prometheus-operator@v0.85.0",
    sum: "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
    files: ["example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml"],
  },
];

const downloaded = z.object({ Dir: z.string(), Sum: z.string() });

/** The definitions of Gateway API, KEDA and the Prometheus operator that a stack uses, as YAML. */
export async function customResourceDefinitions(): Promise<string> {
  const { command, env } = await findGo();
  const texts: string[] = [];
  for (const { module, sum, files } of sources) {
    const { code, stdout, stderr } = await runProcess(command, ["mod", "download", "-json", module], {
      env: { ...process.env, ...env },
    });
    if (code !== 0) throw new Error(`${module} cannot be downloaded: ${stderr}${stdout}`);
    const { Dir: folder, Sum: found } = downloaded.parse(JSON.parse(stdout));
    if (found !== sum) throw new Error(`${module} has the checksum ${found}, and should have ${sum}`);
    texts.push(...files.map((file) => readFileSync(join(folder, file), "utf8")));
  }
  return texts.join("\n---\n");
}

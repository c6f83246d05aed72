import { containerState, queryLines } from "../../engine/docker-cli.ts";
import { containerPattern } from "../../engine/names.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";

/** Checks a stack's containers: state, health and restarts. */
export async function checkContainers(stack: string): Promise<Finding[]> {
  const filter = ["--filter", `name=${containerPattern(stack)}`];
  const names = (await queryLines(["container", "ls", "--all", "--format", "{{.Names}}", ...filter])).sort();
  if (names.length === 0) return [ok("containers", `none of the stack ${stack}: it is not deployed here`)];
  return await Promise.all(names.map((name) => checkContainer(stack, name)));
}

async function checkContainer(stack: string, name: string): Promise<Finding> {
  const state = await containerState(name);
  if (state === undefined) return ok("containers", `${name} is gone`);
  const { status, health, restarts, outOfMemory, memoryLimit, exitCode } = state;
  const found = `${name}: ${status}${health === "none" ? "" : `, ${health}`}, ${String(restarts)} restarts`;
  if (outOfMemory)
    return problem(
      "containers",
      `${found}, killed for lack of memory (${String(memoryLimit / 1024 / 1024)} MiB)`,
      "Raise its limit: ollamaMemoryMiB, gatewayMemoryMiB, edgeMemoryMiB or prometheusMemoryMiB.",
    );
  const look = `Check its log: docker logs --tail 50 ${name}`;
  if (status !== "running")
    return problem(
      "containers",
      `${found}, exit code ${String(exitCode)}`,
      `${look}; bring it back: npm run up -- --stack ${stack}`,
    );
  if (health === "unhealthy" || restarts > 0) return warning("containers", found, look);
  return ok("containers", found);
}

// Runs as a sidecar of Ollama in each pod: installs the models in a list file and follows changes of the list. The pod becomes
// ready once the first list is complete; models added later are pulled while it serves.
import { createServer } from "node:http";
import { hostname } from "node:os";
import { optionalVariable, requiredVariable } from "./lib/env.ts";
import { waitForDrain } from "./model-keeper/drain.ts";
import { ModelKeeper } from "./model-keeper/model-keeper.ts";
import { OllamaApi } from "./model-install/ollama-api.ts";

const files = {
  list: requiredVariable("MODELS_FILE"),
  records: requiredVariable("RECORDS_FILE"),
  state: requiredVariable("STATE_FILE"),
};
const pod = hostname();
const gpus = {
  server: pod,
  logs: `kubectl logs ${pod} --container ollama`,
  host: "its node",
  keepAlive: optionalVariable("LOAD_KEEP_ALIVE"),
};
const hasGpus = optionalVariable("CHECK_GPU_MEMORY") === "true";
const keeper = new ModelKeeper(
  new OllamaApi(requiredVariable("OLLAMA_URL")),
  files,
  hasGpus ? gpus : undefined,
);
const drainSeconds = Number(requiredVariable("DRAIN_SECONDS"));
const ollamaPort = Number(new URL(requiredVariable("OLLAMA_URL")).port);

// As PID 1 it has no default handler, so the kubelet would wait for the grace period.
process.once("SIGTERM", () => process.exit());

createServer((request, response) => {
  const send = (status: number) => response.writeHead(status).end();
  if (request.url === "/ready") send(keeper.hasBeenComplete ? 200 : 503);
  // Ollama's preStop hook: the kubelet stops Ollama once it gets a response.
  else if (request.url === "/drain") {
    console.error("the pod is terminating: waiting for requests in flight");
    void waitForDrain(ollamaPort, drainSeconds).then(() => send(200));
  } else send(404);
}).listen(Number(requiredVariable("KEEPER_PORT")));

keeper.run().catch((error: unknown) => {
  // The kubelet restarts it.
  console.error(error);
  process.exit(1);
});

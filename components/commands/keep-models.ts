// Runs beside Ollama in each of its pods: sees to the models that the list in a file names, and follows the list. The
// pod is ready once the first list is complete; what is added later is pulled while it serves.
import { createServer } from "node:http";
import { hostname } from "node:os";
import { optional, required } from "./lib/env.ts";
import { drained } from "./model-keeper/drain.ts";
import { ModelKeeper } from "./model-keeper/model-keeper.ts";
import { OllamaApi } from "./model-install/ollama-api.ts";

const files = {
  wanted: required("MODELS_FILE"),
  records: required("RECORDS_FILE"),
  state: required("STATE_FILE"),
};
const pod = hostname();
const gpus = {
  server: pod,
  logs: `kubectl logs ${pod} --container ollama`,
  host: "its node",
  keepAlive: optional("LOAD_KEEP_ALIVE"),
};
const hasGpus = optional("CHECK_GPU_MEMORY") === "true";
const keeper = new ModelKeeper(new OllamaApi(required("OLLAMA_URL")), files, hasGpus ? gpus : undefined);
const drainSeconds = Number(required("DRAIN_SECONDS"));
const ollamaPort = Number(new URL(required("OLLAMA_URL")).port);

// As the first process of its container it has no handler by default, and would be waited for.
process.once("SIGTERM", () => process.exit());

createServer((request, response) => {
  const send = (status: number) => response.writeHead(status).end();
  if (request.url === "/ready") send(keeper.hasBeenComplete ? 200 : 503);
  // The kubelet asks before it ends Ollama, and ends it once there is a response.
  else if (request.url === "/drain") {
    console.error("the pod is going: waiting for requests in flight");
    void drained(ollamaPort, drainSeconds).then(() => send(200));
  } else send(404);
}).listen(Number(required("KEEPER_PORT")));

keeper.run().catch((error: unknown) => {
  // The kubelet starts it again.
  console.error(error);
  process.exit(1);
});

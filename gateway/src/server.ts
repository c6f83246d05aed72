import packageJson from "../package.json" with { type: "json" };
import { buildApp } from "./app.ts";
import { type Config, ConfigError, readConfig } from "./config/config.ts";
import { formatBackendAddress } from "./ollama/address.ts";
import { setV8Flags } from "./lib/v8-flags.ts";
import { createLog, standardOutput } from "./observability/log.ts";

const EXIT_CONFIG = 1;
const EXIT_LISTEN = 2;
const EXIT_FORCED = 3;

const config = configOrExit();
const output = standardOutput();
const log = createLog(config.LOG_LEVEL, output);
const { logger } = log;
const app = buildApp(config, log);
setV8Flags();
let stopping = false;

process.on("exit", () => {
  output.flush();
});
process.on("SIGTERM", stop).on("SIGINT", stop).on("SIGUSR2", toggleDebugLog);
void listen();

/** Not a top-level await: the image's bundle is CommonJS. */
async function listen(): Promise<void> {
  try {
    const { LLM_BACKENDS: backends, LLM_SERVICE_HOST_IP: host, LLM_SERVICE_PORT: port } = config;
    const addresses = (backends.length > 0 ? backends : [{ host, port }]).map(formatBackendAddress);
    const keys = config.API_KEYS.length + (config.API_KEYS_FILE?.keys.length ?? 0);
    logger.info(
      { version: packageJson.version, ollama: addresses, keys, required_models: config.REQUIRED_MODELS },
      "starting",
    );
    await app.listen({ host: config.HOST, port: config.PORT });
  } catch (error) {
    logger.fatal({ host: config.HOST, port: config.PORT, error: String(error) }, "cannot listen");
    process.exit(EXIT_LISTEN);
  }
}

/** Toggles between debug and the configured log level. */
function toggleDebugLog(): void {
  logger.level = logger.level === config.LOG_LEVEL ? "debug" : config.LOG_LEVEL;
  logger.warn({ log_level: logger.level }, "log level");
  log.audit({ act: "set-log-level", target: logger.level });
}

/** Drains and exits; exits immediately when called again. */
function stop(signal: NodeJS.Signals): void {
  if (stopping) process.exit(EXIT_FORCED);
  stopping = true;
  logger.info({ signal, timeout_ms: config.SHUTDOWN_TIMEOUT_MS }, "draining");
  void app.close().then(async () => {
    logger.info("stopped");
    await output.end();
    process.exit(0);
  });
}

function configOrExit(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`The gateway cannot start, its environment is invalid:\n${error.message}\n`);
    process.exit(EXIT_CONFIG);
  }
}

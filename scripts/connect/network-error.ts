const reasons: Readonly<Record<string, string>> = {
  ENOTFOUND: "its name does not resolve",
  EAI_AGAIN: "its name does not resolve: the name server does not respond",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection broke",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "there is no route to it",
  ETIMEDOUT: "it does not respond",
};

/** A failed request of this project's own, with host, port and reason. */
export function networkError(url: URL, error: Error): Error {
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  const cause = error.cause instanceof Error ? error.cause : error;
  const { code } = cause as NodeJS.ErrnoException;
  const known = code === undefined ? undefined : reasons[code];
  const isTimeout = error.name === "TimeoutError" || error.name === "AbortError";
  const reason = isTimeout ? "it does not respond in time" : (known ?? cause.message);
  const shown = code === undefined || isTimeout ? "" : ` (${code})`;
  return new Error(
    `cannot reach ${url.hostname} at port ${port}: ${reason}${known === undefined ? "" : shown}`,
    { cause: error },
  );
}

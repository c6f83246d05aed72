/**
 * Runs several functions concurrently. If one fails, the signal aborts the others; this waits for them, ignores their
 * errors, and throws the first one.
 */
export async function runParallel(lanes: readonly ((signal: AbortSignal) => Promise<void>)[]): Promise<void> {
  const stop = new AbortController();
  const ends = lanes.map((lane) =>
    lane(stop.signal).catch((error: unknown) => {
      stop.abort(error);
    }),
  );
  await Promise.all(ends);
  if (stop.signal.aborted) throw stop.signal.reason;
}

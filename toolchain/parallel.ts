/**
 * Does several things side by side. The first that fails is the error, at once: the signal stops the others, which
 * are waited for, and whose errors do not matter then.
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

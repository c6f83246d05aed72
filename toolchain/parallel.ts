/**
 * Does several things side by side. The first that fails is the error, at once: the others are told to stop by the
 * signal, waited for, and what they then say is not of interest.
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

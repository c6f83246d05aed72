/**
 * Runs jobs in their order, one at a time in each lane, from when the lane's promise settles. An error ends its lane
 * only: the others take what is left, and the first error is thrown after them.
 */
export async function runQueue<Job>(
  jobs: readonly Job[],
  lanes: readonly Promise<unknown>[],
  run: (job: Job) => Promise<void>,
): Promise<void> {
  const left = jobs.values();
  const ends = await Promise.allSettled(
    lanes.map(async (free) => {
      await Promise.allSettled([free]);
      for (const job of left) await run(job);
    }),
  );
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

import { expect, test } from "vitest";
import { Random } from "../../../bench/scale/random.ts";
import type { AdmittedRequest } from "../../../gateway/src/scheduling/admitted-request.ts";
import { WaitQueue, type Waiter } from "../../../gateway/src/scheduling/wait-queue.ts";

interface Request {
  readonly id: number;
  readonly key: string;
  readonly model: string;
}

function admittedOf({ id, key, model }: Request, isRetry = false): AdmittedRequest {
  const requirement = { model, context: undefined, runner: "" };
  const failedBackends = isRetry ? new Set([{ name: "somewhere" }]) : undefined;
  return { id, key, requirement, isRetry, failedBackends, wait: {} } as unknown as AdmittedRequest;
}

const idOf = (admitted: AdmittedRequest): number => (admitted as unknown as Request).id;

/** Reference implementation: serves keys round-robin, each with its first request that can run. */
class ReferenceQueue {
  readonly queues = new Map<string, Request[]>();

  add(request: Request, isRetry: boolean): void {
    const queue = this.queues.get(request.key) ?? [];
    if (isRetry) queue.unshift(request);
    else queue.push(request);
    this.queues.set(request.key, queue);
  }

  remove({ key, id }: Request): void {
    const rest = (this.queues.get(key) ?? []).filter((each) => each.id !== id);
    if (rest.length === 0) this.queues.delete(key);
    else this.queues.set(key, rest);
  }

  next(canRun: ReadonlySet<string>): Request | undefined {
    for (const [key, queue] of this.queues) {
      const request = queue.find(({ model }) => canRun.has(model));
      if (request === undefined) continue;
      this.remove(request);
      const rest = this.queues.get(key);
      this.queues.delete(key);
      if (rest !== undefined) this.queues.set(key, rest);
      return request;
    }
    return undefined;
  }
}

test("gives slots to the keys round-robin, each to its first runnable request, through random removals", () => {
  const random = new Random(5);
  const [queue, reference] = [new WaitQueue(), new ReferenceQueue()];
  const waiting = new Map<number, { readonly request: Request; readonly waiter: Waiter }>();
  let served = 0;
  for (let id = 0; id < 6000; id += 1) {
    const isRetry = random.below(10) === 0;
    if (waiting.size < 80) {
      const request = {
        id,
        key: `key-${random.below(8)}`,
        // A retried request cannot run on every server that others of its model can.
        model: isRetry ? "retried" : `model-${random.below(5)}`,
      };
      waiting.set(id, { request, waiter: queue.add(admittedOf(request, isRetry), "slot") });
      reference.add(request, isRetry);
    }
    const leaving = [...waiting.values()][random.below(waiting.size)];
    if (random.below(3) === 0 && leaving !== undefined) {
      queue.remove(leaving.waiter);
      queue.remove(leaving.waiter);
      reference.remove(leaving.request);
      waiting.delete(leaving.request.id);
    }
    const canRun = new Set(
      ["retried", ...Array.from({ length: 5 }, (_, n) => `model-${n}`)].filter(() => random.below(3) === 0),
    );
    let slots = random.below(4);
    const order: number[] = [];
    queue.offer(
      (admitted) => {
        if (!canRun.has(admitted.requirement.model)) return false;
        slots -= 1;
        order.push(idOf(admitted));
        return true;
      },
      () => slots === 0,
    );
    for (const each of order) {
      expect(each).toBe(reference.next(canRun)?.id);
      waiting.delete(each);
    }
    if (slots > 0) expect(reference.next(canRun)).toBeUndefined();
    expect(queue.size).toBe(waiting.size);
    served += order.length;
  }
  expect(served).toBeGreaterThan(1000);
});

test("offers a slot to one request per model, not to all 10,000 queued ones", () => {
  const queue = new WaitQueue();
  for (let id = 0; id < 10_000; id += 1) {
    queue.add(admittedOf({ id, key: `key-${id % 100}`, model: `model-${id % 50}` }), "slot");
  }
  let offered = 0;
  queue.offer(
    () => {
      offered += 1;
      return false;
    },
    () => false,
  );
  expect(offered).toBe(50);
});

import type { AdmittedRequest } from "./admitted-request.ts";
import type { Backend } from "../backends/backend.ts";
import { sameModel, type RunnerRequirement } from "../backends/loaded-models.ts";
import { IndexedHeap } from "../lib/indexed-heap.ts";
import type { WaitState } from "./slot-wait.ts";

/** A queued request. */
export interface Waiter {
  readonly admitted: AdmittedRequest;
  /** Position among the requests of its key; lowest first. */
  readonly order: number;
  /** Whether it has already had a slot. */
  readonly started: boolean;
  line: Line;
  previous: Waiter | undefined;
  next: Waiter | undefined;
  isQueued: boolean;
}

/** Requests of one key in one group, in order of arrival. */
interface Line {
  readonly keyQueue: KeyQueue;
  readonly group: Group;
  first: Waiter | undefined;
  last: Waiter | undefined;
}

/** The queue of one key. Keys with the lowest `at` are served first. */
interface KeyQueue {
  readonly key: string;
  at: number;
  /** Number of its requests that have never had a slot. */
  notStarted: number;
  readonly lines: Map<Group, Line>;
}

/** Requests that the same backends can run: if one of them cannot run now, none can. */
interface Group {
  name: string;
  readonly requirement: RunnerRequirement;
  readonly lines: IndexedHeap<Line>;
  readonly state: WaitState;
}

/**
 * Queued requests, one queue per key, grouped so that finding the next runnable request does not visit those that
 * cannot run.
 */
export class WaitQueue {
  readonly #keyQueues = new Map<string, KeyQueue>();
  readonly #groups = new Map<string, Group>();
  readonly #order = new IndexedHeap<Group>(groupPrecedes);
  #lastTurn = 0;
  #lastOrder = 0;
  #firstOrder = 0;
  #failed = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The last request of a key that has never had a slot. */
  lastNotStarted(key: string): Waiter | undefined {
    const keyQueue = this.#keyQueues.get(key);
    if (keyQueue === undefined || keyQueue.notStarted === 0) return undefined;
    let candidate: Waiter | undefined;
    for (const line of keyQueue.lines.values()) {
      let waiter = line.last;
      while (waiter?.started === true) waiter = waiter.previous;
      if (waiter !== undefined && waiter.order > (candidate?.order ?? -Infinity)) candidate = waiter;
    }
    return candidate;
  }

  /** Queues a request behind the others of its key, or before them if it is a retry. */
  add(admitted: AdmittedRequest, waitsFor: WaitState["kind"]): Waiter {
    const group = this.#groupOf(admitted);
    group.state.kind = waitsFor;
    admitted.wait.state = group.state;
    const line = this.#lineOf(admitted.key, group);
    const order = admitted.isRetry ? (this.#firstOrder -= 1) : (this.#lastOrder += 1);
    const waiter: Waiter = {
      admitted,
      order,
      started: admitted.ran,
      line,
      previous: undefined,
      next: undefined,
      isQueued: true,
    };
    if (admitted.isRetry) {
      waiter.next = line.first;
      if (line.first === undefined) line.last = waiter;
      else line.first.previous = waiter;
      line.first = waiter;
    } else {
      waiter.previous = line.last;
      if (line.last === undefined) line.first = waiter;
      else line.last.next = waiter;
      line.last = waiter;
    }
    this.#size += 1;
    if (!waiter.started) line.keyQueue.notStarted += 1;
    if (group.lines.has(line)) group.lines.update(line);
    else group.lines.add(line);
    if (this.#order.has(group)) this.#order.update(group);
    else this.#order.add(group);
    return waiter;
  }

  /** Removes a request if it is still queued. */
  remove(waiter: Waiter): void {
    if (!waiter.isQueued) return;
    waiter.isQueued = false;
    this.#size -= 1;
    const { line, previous, next } = waiter;
    if (previous === undefined) line.first = next;
    else previous.next = next;
    if (next === undefined) line.last = previous;
    else next.previous = previous;
    const { group, keyQueue } = line;
    if (!waiter.started) keyQueue.notStarted -= 1;
    if (line.first === undefined) {
      group.lines.delete(line);
      keyQueue.lines.delete(group);
      if (keyQueue.lines.size === 0) this.#keyQueues.delete(keyQueue.key);
    } else if (previous === undefined) group.lines.update(line);
    if (group.lines.size > 0) this.#order.update(group);
    else {
      this.#order.delete(group);
      this.#groups.delete(group.name);
    }
  }

  /**
   * Offers free slots round-robin over the keys, one request each, until none can run.
   *
   * @param serve returns whether it served the request; if not, the rest of its group is skipped
   * @param isExhausted returns whether all free slots are taken
   */
  offer(serve: (admitted: AdmittedRequest, state: WaitState) => boolean, isExhausted: () => boolean): void {
    const skipped: Group[] = [];
    while (!isExhausted()) {
      const group = this.#order.first;
      const line = group?.lines.first;
      if (group === undefined || line?.first === undefined) break;
      if (serve(line.first.admitted, group.state)) {
        this.remove(line.first);
        this.#moveToEnd(line.keyQueue);
      } else {
        this.#order.delete(group);
        skipped.push(group);
      }
    }
    for (const group of skipped) this.#order.add(group);
  }

  #moveToEnd(keyQueue: KeyQueue): void {
    // The heap must not compare members while several of them change.
    const groups = [...keyQueue.lines.keys()].filter((group) => this.#order.has(group));
    for (const group of groups) this.#order.delete(group);
    this.#lastTurn += 1;
    keyQueue.at = this.#lastTurn;
    for (const [group, line] of keyQueue.lines) group.lines.update(line);
    for (const group of groups) this.#order.add(group);
  }

  /**
   * Visits all requests with this requirement. Those that waited for the load wait for a slot instead.
   *
   * @param failedOn the backend on which the load failed, which they must avoid
   */
  loadEnded(
    requirement: RunnerRequirement,
    failedOn: Backend | undefined,
    visit: (admitted: AdmittedRequest) => void,
  ): void {
    for (const group of [...this.#groups.values()]) {
      if (!sameModel(group.requirement, requirement)) continue;
      for (const line of group.lines) {
        for (let waiter = line.first; waiter !== undefined; waiter = waiter.next) visit(waiter.admitted);
      }
      group.state.kind = "slot";
      if (failedOn === undefined) continue;
      this.#groups.delete(group.name);
      // Later requests may still use that backend, so they form a new group.
      this.#failed += 1;
      group.name += ` failed ${this.#failed}`;
      this.#groups.set(group.name, group);
    }
  }

  #groupOf({ requirement, failedBackends }: AdmittedRequest): Group {
    const { model, context, runner } = requirement;
    const failed = [...(failedBackends ?? [])].map(({ name: each }) => each).toSorted();
    const name = [model, context ?? "", runner, ...failed].join(" ");
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    const lines = new IndexedHeap<Line>(linePrecedes);
    const group: Group = { name, requirement, lines, state: { kind: "slot" } };
    this.#groups.set(name, group);
    return group;
  }

  #lineOf(key: string, group: Group): Line {
    let keyQueue = this.#keyQueues.get(key);
    if (keyQueue === undefined) {
      this.#lastTurn += 1;
      keyQueue = { key, at: this.#lastTurn, notStarted: 0, lines: new Map() };
      this.#keyQueues.set(key, keyQueue);
    }
    const known = keyQueue.lines.get(group);
    if (known !== undefined) return known;
    const line: Line = { keyQueue, group, first: undefined, last: undefined };
    keyQueue.lines.set(group, line);
    return line;
  }
}

function linePrecedes(left: Line, right: Line): boolean {
  return left.keyQueue.at < right.keyQueue.at;
}

function groupPrecedes(left: Group, right: Group): boolean {
  const [one, other] = [left.lines.first, right.lines.first];
  if (one === undefined || other === undefined) return one !== undefined;
  if (one.keyQueue !== other.keyQueue) return one.keyQueue.at < other.keyQueue.at;
  return (one.first?.order ?? 0) < (other.first?.order ?? 0);
}

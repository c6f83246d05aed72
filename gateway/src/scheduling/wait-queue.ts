import type { AdmittedRequest } from "./admitted-request.ts";
import type { Backend } from "../backends/backend.ts";
import { sameModel, type RunnerRequirement } from "../backends/loaded-models.ts";
import { IndexedHeap } from "../lib/indexed-heap.ts";
import type { WaitState } from "./wait-state.ts";

/** One request that waits. */
export interface Waiter {
  readonly admitted: AdmittedRequest;
  /** Those with less are served first, among those of one key. */
  readonly order: number;
  /** It has had a slot, and waits for another. */
  readonly begun: boolean;
  line: Line;
  previous: Waiter | undefined;
  next: Waiter | undefined;
  waits: boolean;
}

/** The requests of one key in one group, first come first. */
interface Line {
  readonly turn: Turn;
  readonly group: Group;
  first: Waiter | undefined;
  last: Waiter | undefined;
}

/** When a key has its turn: those with less come first. */
interface Turn {
  readonly key: string;
  at: number;
  /** How many of its requests have never had a slot. */
  unbegun: number;
  readonly lines: Map<Group, Line>;
}

/** Requests that can run on the same servers, so that one cannot run when another cannot. */
interface Group {
  name: string;
  readonly requirement: RunnerRequirement;
  readonly lines: IndexedHeap<Line>;
  readonly state: WaitState;
}

/**
 * The requests that wait, in a queue for each key, so ordered that the next one that can run is found without looking at
 * those that cannot: what is decided for one of a group holds for all of it.
 */
export class WaitQueue {
  readonly #turns = new Map<string, Turn>();
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

  /** The last request of a key, those left out that have had a slot and wait for another. */
  lastUnbegun(key: string): Waiter | undefined {
    const turn = this.#turns.get(key);
    if (turn === undefined || turn.unbegun === 0) return undefined;
    let found: Waiter | undefined;
    for (const line of turn.lines.values()) {
      let waiter = line.last;
      while (waiter?.begun === true) waiter = waiter.previous;
      if (waiter !== undefined && waiter.order > (found?.order ?? -Infinity)) found = waiter;
    }
    return found;
  }

  /** Has a request wait behind those of its key; one that failed on a server, before them. */
  add(admitted: AdmittedRequest, waitsFor: WaitState["kind"]): Waiter {
    const group = this.#groupOf(admitted);
    group.state.kind = waitsFor;
    admitted.waitState = group.state;
    const line = this.#lineOf(admitted.key, group);
    const order = admitted.isRetry ? (this.#firstOrder -= 1) : (this.#lastOrder += 1);
    const waiter: Waiter = {
      admitted,
      order,
      begun: admitted.ran,
      line,
      previous: undefined,
      next: undefined,
      waits: true,
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
    if (!waiter.begun) line.turn.unbegun += 1;
    if (group.lines.has(line)) group.lines.update(line);
    else group.lines.add(line);
    if (this.#order.has(group)) this.#order.update(group);
    else this.#order.add(group);
    return waiter;
  }

  /** Takes a request out, if it still waits. */
  remove(waiter: Waiter): void {
    if (!waiter.waits) return;
    waiter.waits = false;
    this.#size -= 1;
    const { line, previous, next } = waiter;
    if (previous === undefined) line.first = next;
    else previous.next = next;
    if (next === undefined) line.last = previous;
    else next.previous = previous;
    const { group, turn } = line;
    if (!waiter.begun) turn.unbegun -= 1;
    if (line.first === undefined) {
      group.lines.delete(line);
      turn.lines.delete(group);
      if (turn.lines.size === 0) this.#turns.delete(turn.key);
    } else if (previous === undefined) group.lines.update(line);
    if (group.lines.size > 0) this.#order.update(group);
    else {
      this.#order.delete(group);
      this.#groups.delete(group.name);
    }
  }

  /**
   * Offers what has come free: round after round over the keys, one request each, until none can run.
   *
   * @param serve whether the request is served; otherwise none of its group can be, for the same reason.
   * @param isOver whether nothing is left to be had
   */
  offer(serve: (admitted: AdmittedRequest, state: WaitState) => boolean, isOver: () => boolean): void {
    const passed: Group[] = [];
    while (!isOver()) {
      const group = this.#order.first;
      const line = group?.lines.first;
      if (group === undefined || line?.first === undefined) break;
      if (serve(line.first.admitted, group.state)) {
        this.remove(line.first);
        this.#moveToEnd(line.turn);
      } else {
        this.#order.delete(group);
        passed.push(group);
      }
    }
    for (const group of passed) this.#order.add(group);
  }

  #moveToEnd(turn: Turn): void {
    // While several members of a heap change, it must not compare them.
    const groups = [...turn.lines.keys()].filter((group) => this.#order.has(group));
    for (const group of groups) this.#order.delete(group);
    this.#lastTurn += 1;
    turn.at = this.#lastTurn;
    for (const [group, line] of turn.lines) group.lines.update(line);
    for (const group of groups) this.#order.add(group);
  }

  /**
   * Visits all that need the model so: its load has ended, and they wait for a slot then.
   *
   * @param failedOn the server on which it failed, where those that waited for it cannot run now
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
      // Those that come from now on may run there, and are a group of their own.
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
    let turn = this.#turns.get(key);
    if (turn === undefined) {
      this.#lastTurn += 1;
      turn = { key, at: this.#lastTurn, unbegun: 0, lines: new Map() };
      this.#turns.set(key, turn);
    }
    const known = turn.lines.get(group);
    if (known !== undefined) return known;
    const line: Line = { turn, group, first: undefined, last: undefined };
    turn.lines.set(group, line);
    return line;
  }
}

function linePrecedes(left: Line, right: Line): boolean {
  return left.turn.at < right.turn.at;
}

function groupPrecedes(left: Group, right: Group): boolean {
  const [one, other] = [left.lines.first, right.lines.first];
  if (one === undefined || other === undefined) return one !== undefined;
  if (one.turn !== other.turn) return one.turn.at < other.turn.at;
  return (one.first?.order ?? 0) < (other.first?.order ?? 0);
}

interface Node<Value> {
  value: Value | undefined;
  readonly next: Map<string, Node<Value>>;
}

/**
 * A map whose keys are tuples of strings. Joined into a single string, each lookup would have to hash a new one, which
 * takes most of a microsecond.
 */
export class TupleMap<Value> {
  readonly #root: Node<Value> = newNode();

  get(key: readonly string[]): Value | undefined {
    let node: Node<Value> | undefined = this.#root;
    for (const part of key) {
      node = node.next.get(part);
      if (node === undefined) return undefined;
    }
    return node.value;
  }

  set(key: readonly string[], value: Value): void {
    let node = this.#root;
    for (const part of key) {
      let next = node.next.get(part);
      if (next === undefined) {
        next = newNode();
        node.next.set(part, next);
      }
      node = next;
    }
    node.value = value;
  }
}

function newNode<Value>(): Node<Value> {
  return { value: undefined, next: new Map() };
}

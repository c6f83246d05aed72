/** How a resource is restored to its state. */
export type Repair =
  /** An update with refresh detects and repairs it, in place if possible. */
  | "refresh"
  /** The provider does not detect it, so the resource is replaced. */
  | "replace"
  /** Arguments of `docker`, run before an update with refresh. */
  | readonly (readonly string[])[]
  /** Advice for a manual repair. */
  | { readonly byHand: string };

export interface Difference {
  /** URN of the resource. */
  readonly urn: string;
  /** Name of the resource and of its object on the engine. */
  readonly resource: string;
  readonly property: string;
  readonly expected: string;
  readonly actual: string;
  readonly repair: Repair;
}

/** What brings a resource back to what the state says of it. */
export type Repair =
  /** The provider reads it back, or the program looks: a refreshed update sees to it, in place where it can. */
  | "refresh"
  /** The provider does not see it: the resource is replaced. */
  | "replace"
  /** Arguments of `docker`, run before a refreshed update. */
  | readonly (readonly string[])[]
  /** It is for a person to decide: what to do. */
  | { readonly byHand: string };

export interface Difference {
  /** URN of the resource. */
  readonly urn: string;
  /** Name of the resource, and of what it is on the engine. */
  readonly resource: string;
  readonly property: string;
  readonly expected: string;
  readonly actual: string;
  readonly repair: Repair;
}

import type { ContainerInputs, ImageConfig, Inspected } from "./types.ts";

/** One property of a container: what was asked for, by the state or else by the image, and what there is. */
export interface Property {
  readonly name: string;
  /** Inputs of the resource that it comes from. */
  readonly inputs: readonly (keyof ContainerInputs)[];
  /** Undefined when nobody asked and the engine may choose. */
  readonly expected: (inputs: ContainerInputs, image: ImageConfig) => string | undefined;
  readonly actual: (container: Inspected) => string;
  /** The provider reads it back and changes it in place. */
  readonly inPlace?: true;
}

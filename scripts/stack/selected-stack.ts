/** The stack that a command works on. */
export interface SelectedStack {
  readonly stack: string;
  /** Arguments that make another `npm run NAME` use the same stack. */
  readonly stackOption: string;
  /** The complete environment of the CLI. */
  readonly env: NodeJS.ProcessEnv;
}

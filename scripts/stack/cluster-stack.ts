/** A stack in a cluster, as commands use it. */
export interface ClusterStack {
  readonly stack: string;
  /** Arguments that make another `npm run NAME` use the same stack. */
  readonly stackOption: string;
  readonly env: NodeJS.ProcessEnv;
}

/** A cluster and a namespace. Empty values mean kubectl's defaults. */
export interface ClusterAddress {
  /** Path of the file. */
  readonly kubeconfig: string;
  readonly context: string;
  readonly namespace: string;
}

/** Which cluster, and where in it. Empty: what kubectl takes by itself. */
export interface ClusterAddress {
  /** Path of the file. */
  readonly kubeconfig: string;
  readonly context: string;
  readonly namespace: string;
}

/** What requests wait for; one for all that wait for the same. */
export interface WaitState {
  kind: "slot" | "load" | "server";
}

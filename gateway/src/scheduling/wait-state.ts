/** What queued requests wait for; shared by all requests of a group. */
export interface WaitState {
  kind: "slot" | "load" | "server";
}

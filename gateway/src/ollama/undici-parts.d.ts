declare module "undici/lib/dispatcher/client.js" {
  import { Client } from "undici";
  export default Client;
}

declare module "undici/lib/core/connect.js" {
  import { buildConnector } from "undici";
  export default buildConnector;
}

declare module "undici/lib/api/api-request.js" {
  import type { Dispatcher } from "undici";
  /** The only method that undici's request functions need. */
  interface Dispatches {
    dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean;
  }
  function request(this: Dispatches, options: Dispatcher.RequestOptions): Promise<Dispatcher.ResponseData>;
  export default request;
}

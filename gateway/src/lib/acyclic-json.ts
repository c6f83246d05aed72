import * as z from "zod";

// JSON has no reference cycles. Looking for them would take 3 % of a response's CPU time, as it allocates a WeakMap for
// each body. Must be imported before any schema is created.
z.config({
  memoizer: {
    attach: () => undefined,
    guard: () => undefined,
    alloc: (_schema, _payload, empty) => empty,
  },
});

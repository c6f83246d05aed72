import * as z from "zod";

// JSON has no reference cycles. Looking for them would allocate a WeakMap for each body, because a schema that is created
// on first use might contain itself. Must be imported before any schema is created.
z.config({
  memoizer: {
    attach: () => undefined,
    guard: () => undefined,
    alloc: (_schema, _payload, empty) => empty,
  },
});

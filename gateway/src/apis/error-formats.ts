import type { ApiError } from "../errors.ts";

/** How an API writes its errors. */
export type ErrorForm = (error: ApiError, requestId: string) => object;

const openAiForm: ErrorForm = (error) => error.body();

const ollamaForm: ErrorForm = ({ message }) => ({ error: message });

const anthropicForm: ErrorForm = (error, requestId) => ({
  ...anthropicError(error),
  request_id: requestId,
});

export function anthropicError({ status, message }: ApiError): object {
  return { type: "error", error: { type: anthropicType(status), message } };
}

/** The form of the API that a path belongs to; a path that no route takes is answered in its neighbours' form. */
export function errorFormOf(path: string): ErrorForm {
  if (path.startsWith("/api/")) return ollamaForm;
  if (path.startsWith("/v1/messages")) return anthropicForm;
  return openAiForm;
}

function anthropicType(status: number): string {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    case 504:
      return "timeout_error";
    default:
      return status < 500 ? "invalid_request_error" : "api_error";
  }
}

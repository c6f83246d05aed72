import { useEffect, useRef, useState } from "preact/hooks";
import type { FinishedRequest, FinishedRequests } from "../../../gateway/src/admin/contract/requests.ts";
import { connection, followEvents, skips } from "../api/live.ts";
import { messageOf, requestJson } from "../api/request.ts";
import { plural } from "../lib/format.ts";
import { session } from "../session/session.ts";
import { ErrorNote, Table } from "../ui/panel.tsx";
import { isShown, noFilter, queryOf, type RequestFilter } from "./filter.ts";
import { PhaseLegend } from "./phase-bar.tsx";
import { RequestRow } from "./request-row.tsx";

const MAX_REQUESTS = 500;

const withoutKeys = ["", "Ended", "Status", "Model", "Route", "Phases", "Total", "First token", "Tokens"];
const withKeys = withoutKeys.toSpliced(3, 0, "Key");

/** Finished requests, newest first. */
export function RequestsPage() {
  const [filter, setFilter] = useState(noFilter);
  const { requests, error } = useRequests(filter);
  const options = useFilterOptions(requests);
  const hasKeys = session.value?.keys_configured === true;
  const columns = hasKeys ? withKeys : withoutKeys;
  const change = (part: Partial<RequestFilter>) => {
    setFilter({ ...filter, ...part });
  };
  return (
    <>
      <div class="page-head">
        <h1>Recent requests</h1>
        <PhaseLegend />
      </div>
      <form
        class="filters"
        aria-label="Filter"
        onSubmit={(event) => {
          event.preventDefault();
        }}
      >
        {hasKeys && (
          <Choice
            name="Key"
            value={filter.key}
            values={options.keys}
            onChange={(key) => {
              change({ key });
            }}
          />
        )}
        <Choice
          name="Model"
          value={filter.model}
          values={options.models}
          onChange={(model) => {
            change({ model });
          }}
        />
        <Choice
          name="Status"
          value={filter.status}
          values={["ok", "error", ...options.statuses]}
          onChange={(status) => {
            change({ status });
          }}
        />
      </form>
      <ErrorNote message={error} />
      {requests !== undefined && (
        <>
          <p class="muted small-text" role="status">
            {plural(requests.length, "request")}
          </p>
          {requests.length > 0 && (
            <Table label="Recent requests" columns={columns}>
              {requests.map((each) => (
                <RequestRow key={each.id} finished={each} columns={columns} />
              ))}
            </Table>
          )}
          {requests.length === 0 && (
            <p>{filter === noFilter ? "No request has ended yet." : "No request matches the filter."}</p>
          )}
        </>
      )}
    </>
  );
}

function useRequests(filter: RequestFilter) {
  const [requests, setRequests] = useState<readonly FinishedRequest[]>();
  const [error, setError] = useState<string>();
  const { isLive } = connection.value;
  const { key, model, status } = filter;
  useEffect(() => {
    const abort = new AbortController();
    const shown = { key, model, status };
    const unfollow = followEvents((finished) => {
      if (!isShown(shown, finished)) return;
      setRequests((before) =>
        before?.some(({ id }) => id === finished.id) === true
          ? before
          : [finished, ...(before ?? [])].slice(0, MAX_REQUESTS),
      );
    });
    requestJson<FinishedRequests>(`admin/requests?${queryOf(shown, MAX_REQUESTS)}`, {
      signal: abort.signal,
    }).then(
      (loaded) => {
        setRequests(loaded.requests);
        setError(undefined);
      },
      (thrown: unknown) => {
        if (!abort.signal.aborted) setError(messageOf(thrown));
      },
    );
    return () => {
      abort.abort();
      unfollow();
    };
    // Reload after a gap in the event stream.
  }, [key, model, status, isLive, skips.value]);
  // Show the previous result until the response for the new filter arrives.
  return { requests: requests?.filter((each) => isShown(filter, each)), error };
}

/** Keys, models and statuses seen so far, so that a filter does not hide the other options. */
function useFilterOptions(requests: readonly FinishedRequest[] | undefined) {
  const known = useRef({ keys: new Set<string>(), models: new Set<string>(), statuses: new Set<string>() });
  const { keys, models, statuses } = known.current;
  for (const { key, model, status, error } of requests ?? []) {
    if (key !== null) keys.add(key);
    if (model !== null) models.add(model);
    if (error !== null) statuses.add(error.code);
    statuses.add(String(status));
  }
  const sorted = (names: ReadonlySet<string>) => [...names].sort();
  return { keys: sorted(keys), models: sorted(models), statuses: sorted(statuses) };
}

interface ChoiceProps {
  readonly name: string;
  readonly value: string;
  readonly values: readonly string[];
  readonly onChange: (value: string) => void;
}

function Choice({ name, value, values, onChange }: ChoiceProps) {
  return (
    <label>
      <span>{name}</span>
      <select
        value={value}
        onChange={({ currentTarget }) => {
          onChange(currentTarget.value);
        }}
      >
        <option value="">all</option>
        {values.map((each) => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
    </label>
  );
}

import type { KeyStore, KnownKey } from "../auth/key-store.ts";
import { rejectionReason } from "../auth/api-keys.ts";
import type { RateLimits } from "../auth/rate-limits.ts";
import { type UsageRow, sumOfAmounts } from "../usage/usage-rows.ts";
import type { UsageStore } from "../usage/usage-store.ts";
import type { KeyUsage, ModelUsage, Usage } from "./contract/usage.ts";
import type { Viewer } from "./viewer.ts";

interface UsageSource {
  readonly keys: Pick<KeyStore, "isEmpty" | "keys">;
  readonly store: UsageStore;
  readonly isPersistent: boolean;
}

type Period = KeyUsage["today"];
type Budget = ReturnType<RateLimits["state"]>["day"];

/** Usage of the keys that the viewer may see. */
export async function usageOf({ keys, store, isPersistent }: UsageSource, viewer: Viewer): Promise<Usage> {
  const at = new Date().toISOString();
  const [day, month] = [at.slice(0, 10), at.slice(0, 7)];
  // Another replica's damaged file must not hide the usage counted here.
  const counted = await store.rows(month).catch(() => store.ownRows(month));
  const names = keys.isEmpty ? [""] : [...new Set(keys.keys.map(({ key }) => key.name))];
  return {
    at,
    day,
    month,
    persistent: isPersistent,
    keys: names
      .filter((name) => viewer.sees(name))
      .map((name) => {
        const own = keys.keys.filter(({ key }) => key.name === name);
        const ofKey = counted.filter((row) => row.key === name);
        const limits = (own[0]?.consumer ?? viewer.consumer).limits.state();
        return {
          key: name || null,
          admin: own[0]?.consumer.admin ?? true,
          ...validityOf(own),
          today: periodOf(
            ofKey.filter((row) => row.day === day),
            limits.day,
            own.length > 0,
          ),
          this_month: periodOf(ofKey, limits.month, own.length > 0),
          models: byModel(ofKey),
          requests_per_minute: limits.requestsPerMinute ?? null,
          tokens_per_minute: limits.tokensPerMinute ?? null,
          concurrent: {
            limit: limits.concurrent.limit ?? null,
            used: limits.concurrent.used,
          },
        };
      }),
  };
}

function validityOf(own: readonly KnownKey[]): Pick<KeyUsage, "disabled" | "expires_at"> {
  const ends = own.map(({ key }) => key.expiresAt ?? Infinity);
  const last = Math.max(...ends);
  return {
    disabled: own.length > 0 && own.every(({ key }) => rejectionReason(key) !== undefined),
    expires_at: Number.isFinite(last) ? new Date(last).toISOString() : null,
  };
}

function periodOf(rows: readonly UsageRow[], budget: Budget, isKey: boolean): Period {
  const { requests, promptTokens, generatedTokens } = sumOfAmounts(rows);
  return {
    requests,
    prompt_tokens: promptTokens,
    generated_tokens: generatedTokens,
    budget_used: isKey ? budget.used : null,
    budget: budget.limit ?? null,
    resets_at: budget.resetsAt.toISOString(),
  };
}

function byModel(rows: readonly UsageRow[]): ModelUsage[] {
  return [...Map.groupBy(rows, ({ model }) => model)]
    .map(([model, group]) => {
      const { requests, promptTokens, generatedTokens, loadSeconds } = sumOfAmounts(group);
      return {
        model,
        requests,
        prompt_tokens: promptTokens,
        generated_tokens: generatedTokens,
        load_seconds: loadSeconds,
      };
    })
    .sort(
      (one, other) => other.generated_tokens - one.generated_tokens || (one.model < other.model ? -1 : 1),
    );
}

import { NOW, script } from "./script.ts";

// KEYS: gateways with the ends of their leases; the usage hash of one key. Its fields: r and t, requests and tokens
// that drain per minute, with ra and ta, the times of their values; d and m, tokens of the day dp and the month mp;
// c:GATEWAY and v:GATEWAY, requests in flight and reserved tokens.
const COMMON = `${NOW}
local gateways, usage = KEYS[1], KEYS[2]
local has, under_way, reserved = {}, 0, 0
local all = redis.call('HGETALL', usage)
for i = 1, #all, 2 do
  local kind, gateway = string.match(all[i], '^([cv]):(.+)$')
  if kind == nil then has[all[i]] = all[i + 1]
  else
    local ends = redis.call('ZSCORE', gateways, gateway)
    if not ends or tonumber(ends) <= now then redis.call('HDEL', usage, all[i])
    elseif kind == 'c' then under_way = under_way + tonumber(all[i + 1])
    else reserved = reserved + tonumber(all[i + 1]) end
  end
end
local function drained(count, at, per_minute)
  local used = tonumber(has[count] or '0')
  if per_minute <= 0 then return used end
  return math.max(0, used - (now - tonumber(has[at] or '0')) * per_minute / 60000)
end
local function of_period(count, period, current)
  if has[period] ~= current then return 0 end
  return tonumber(has[count] or '0')
end
local function add(field, amount)
  if amount ~= 0 and redis.call('HINCRBY', usage, field, amount) <= 0 then redis.call('HDEL', usage, field) end
end
local function text(number) return string.format('%.6f', number) end
`;

/**
 * ARGV: gateway; limits for requests per minute, tokens per minute, tokens per day, tokens per month, concurrent
 * requests (0 for none); day and month; number of requests; 1 to count one as in flight; 1 to reserve tokens; prompt
 * and response tokens; time to live of the key in ms. Returns the limit that rejects it (empty if none), reserved
 * tokens, draining requests and tokens, tokens of day and month, requests in flight, total reserved tokens.
 */
export const TAKE = script(`${COMMON}
local gateway, per_minute, at_once = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[6])
local count, enters, reserves = tonumber(ARGV[9]), ARGV[10] == '1', ARGV[11] == '1'
local prompt, room = tonumber(ARGV[12]), tonumber(ARGV[13])
local requests = drained('r', 'ra', per_minute)
local tokens = drained('t', 'ta', tonumber(ARGV[3]))
local day, month = of_period('d', 'dp', ARGV[7]), of_period('m', 'mp', ARGV[8])
local refused = ''
if enters and at_once > 0 and under_way >= at_once then refused = 'concurrent'
elseif count > 0 and per_minute > 0 and per_minute - requests < count then refused = 'requests'
elseif enters or reserves then
  for i, each in ipairs({ { 'tokens', tokens }, { 'day', day }, { 'month', month } }) do
    local limit = tonumber(ARGV[2 + i])
    if limit > 0 and refused == '' then
      local left = limit - each[2] - reserved
      if left < 1 or (reserves and prompt > left and reserved > 0) then refused = each[1]
      else room = math.min(room, left - prompt) end
    end
  end
end
local aside = 0
if refused == '' then
  if count > 0 and per_minute > 0 then
    requests = requests + count
    redis.call('HSET', usage, 'r', requests, 'ra', now)
  end
  if enters and at_once > 0 then
    add('c:' .. gateway, 1)
    under_way = under_way + 1
  end
  if reserves then
    aside = math.floor(prompt + math.max(0, room))
    add('v:' .. gateway, aside)
    reserved = reserved + aside
  end
  redis.call('PEXPIRE', usage, ARGV[14])
end
return { refused, aside, text(requests), text(tokens), text(day), text(month), under_way, reserved }
`);

/**
 * ARGV: gateway; limit of tokens per minute; day and month; changes of tokens, requests in flight and reserved tokens;
 * time to live of the key in ms.
 */
export const ADD = script(`${COMMON}
local gateway, per_minute, amount = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[5])
if amount > 0 then
  if per_minute > 0 then
    local used = math.min(2 * per_minute - 1, drained('t', 'ta', per_minute) + amount)
    redis.call('HSET', usage, 't', used, 'ta', now)
  end
  redis.call('HSET', usage, 'dp', ARGV[3], 'd', of_period('d', 'dp', ARGV[3]) + amount)
  redis.call('HSET', usage, 'mp', ARGV[4], 'm', of_period('m', 'mp', ARGV[4]) + amount)
end
if redis.call('ZSCORE', gateways, gateway) then
  add('c:' .. gateway, tonumber(ARGV[6]))
  add('v:' .. gateway, tonumber(ARGV[7]))
end
redis.call('PEXPIRE', usage, ARGV[8])
return 1
`);

/**
 * For a gateway that joins, or changed limits: raises the usage to at least what the gateway knows, and adds what it
 * has not reported. ARGV: gateway; limits for requests and tokens per minute; day and month; draining requests and
 * tokens, tokens of day and month; changes of tokens, requests in flight and reserved tokens; time to live of the key
 * in ms.
 */
export const RESTORE = script(`${COMMON}
local gateway, amount = ARGV[1], tonumber(ARGV[10])
local requests = math.max(drained('r', 'ra', tonumber(ARGV[2])), tonumber(ARGV[6]))
local tokens = math.max(drained('t', 'ta', tonumber(ARGV[3])), tonumber(ARGV[7])) + amount
local day = math.max(of_period('d', 'dp', ARGV[4]), tonumber(ARGV[8])) + amount
local month = math.max(of_period('m', 'mp', ARGV[5]), tonumber(ARGV[9])) + amount
redis.call('HSET', usage, 'r', requests, 'ra', now, 't', tokens, 'ta', now)
redis.call('HSET', usage, 'dp', ARGV[4], 'd', day, 'mp', ARGV[5], 'm', month)
add('c:' .. gateway, tonumber(ARGV[11]))
add('v:' .. gateway, tonumber(ARGV[12]))
redis.call('PEXPIRE', usage, ARGV[13])
return 1
`);

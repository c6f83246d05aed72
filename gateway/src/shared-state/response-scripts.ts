import { NOW, script } from "./script.ts";

// KEYS[1] is the prefix of all keys. A response is a hash with owner, cost, conversation (cost including all earlier
// responses), length, data, previous, items (their IDs), and uses (1 while it can be looked up, plus 1 per response
// that continues it). Further keys hold the total cost by owner, the IDs by expiry for each owner and overall, and the
// response of each item.
const COMMON = `${NOW}
local prefix = KEYS[1]
local owners, ends, bytes = prefix .. ':owners', prefix .. ':ends', prefix .. ':bytes'
local function response(id) return prefix .. ':response:' .. id end
local function item(id) return prefix .. ':item:' .. id end
local function of(owner) return prefix .. ':of:' .. owner end
local function charge(owner, cost)
  if tonumber(redis.call('ZINCRBY', owners, cost, owner)) <= 0 then redis.call('ZREM', owners, owner) end
  redis.call('INCRBY', bytes, cost)
end
local function release(id)
  while id ~= '' do
    if redis.call('HINCRBY', response(id), 'uses', -1) > 0 then return end
    local owner, cost, previous = unpack(redis.call('HMGET', response(id), 'owner', 'cost', 'previous'))
    redis.call('UNLINK', response(id))
    if not owner then return end
    charge(owner, -tonumber(cost))
    id = previous
  end
end
local function drop(id)
  local owner, items = unpack(redis.call('HMGET', response(id), 'owner', 'items'))
  redis.call('ZREM', ends, id)
  if not owner then return end
  redis.call('ZREM', of(owner), id)
  for each in string.gmatch(items, '[^ ]+') do redis.call('DEL', item(each)) end
  release(id)
end
local function is_there(owner, id)
  local until_ = redis.call('ZSCORE', of(owner), id)
  return until_ and tonumber(until_) > now
end
`;

/**
 * ARGV: owner, ID, cost, cost of the conversation, its length, data, ID of the previous response (or empty), item IDs
 * separated by spaces, time to live in ms, limit of the total cost. Returns 1 if stored, 0 if not, -1 if the previous
 * response is gone.
 */
export const PUT = script(`${COMMON}
local owner, id, cost, previous = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[7]
local ttl, limit = tonumber(ARGV[9]), tonumber(ARGV[10])
for _, each in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, 100)) do drop(each) end
if previous ~= '' then
  if redis.call('EXISTS', response(previous)) == 0 then return -1 end
  redis.call('HINCRBY', response(previous), 'uses', 1)
end
redis.call('HSET', response(id), 'owner', owner, 'cost', cost, 'conversation', ARGV[4], 'length', ARGV[5], 'data', ARGV[6],
  'previous', previous, 'items', ARGV[8], 'uses', 1)
charge(owner, cost)
redis.call('ZADD', ends, now + ttl, id)
redis.call('ZADD', of(owner), now + ttl, id)
-- Counts end after all that is counted has been dropped, so that none is left.
local stays = ttl + 60000
for each in string.gmatch(ARGV[8], '[^ ]+') do redis.call('SET', item(each), id, 'PX', stays) end
for _, each in ipairs({ owners, ends, bytes, of(owner) }) do redis.call('PEXPIRE', each, stays) end
local each = id
while each and each ~= '' do
  redis.call('PEXPIRE', response(each), 2 * stays)
  each = redis.call('HGET', response(each), 'previous')
end
while tonumber(redis.call('GET', bytes)) > limit do
  local oldest
  for _, most in ipairs(redis.call('ZREVRANGE', owners, 0, -1)) do
    oldest = redis.call('ZRANGE', of(most), 0, 0)[1]
    if oldest then break end
  end
  if not oldest then break end
  drop(oldest)
end
return is_there(owner, id) and 1 or 0
`);

/**
 * ARGV: owner, ID, maximum cost of the conversation. Returns ID, cost, cost of the conversation, length and data of the
 * response and of all earlier ones, newest first; without data if they exceed the maximum; nothing if the response does
 * not exist.
 */
export const LOAD = script(`${COMMON}
local id, found = ARGV[2], {}
if not is_there(ARGV[1], id) then return found end
local fits = tonumber(redis.call('HGET', response(id), 'conversation') or '0') <= tonumber(ARGV[3])
while id ~= '' do
  local cost, conversation, length, data, previous =
    unpack(redis.call('HMGET', response(id), 'cost', 'conversation', 'length', 'data', 'previous'))
  if not cost then return {} end
  found[#found + 1] = { id, cost, conversation, length, fits and data or '' }
  if not fits then return found end
  id = previous
end
return found
`);

/**
 * ARGV: owner, maximum cost, item IDs. Returns the total cost of the responses with these items, and their data;
 * without data if they exceed the maximum.
 */
export const FIND_ITEMS = script(`${COMMON}
local ids, seen, sum = {}, {}, 0
for i = 3, #ARGV do
  local id = redis.call('GET', item(ARGV[i]))
  if id and not seen[id] and is_there(ARGV[1], id) then
    seen[id] = true
    ids[#ids + 1] = id
    sum = sum + tonumber(redis.call('HGET', response(id), 'cost') or '0')
  end
end
local found = { sum }
if sum > tonumber(ARGV[2]) then return found end
for _, id in ipairs(ids) do found[#found + 1] = redis.call('HGET', response(id), 'data') or nil end
return found
`);

/** ARGV: owner, ID. Returns whether the response existed. */
export const DELETE = script(`${COMMON}
if not is_there(ARGV[1], ARGV[2]) then return 0 end
drop(ARGV[2])
return 1
`);

import { NOW, script } from "./script.ts";

// KEYS[1] holds the gateways with the ends of their leases; an expired gateway holds nothing. Each backend has a hash
// of slots taken by gateway, and a queue of waiting gateways.
const COMMON = `${NOW}
local gateways = KEYS[1]
local function lives(gateway)
  local ends = redis.call('ZSCORE', gateways, gateway)
  return ends and tonumber(ends) > now
end
local function taken(slots)
  local sum = 0
  local all = redis.call('HGETALL', slots)
  for i = 1, #all, 2 do
    if lives(all[i]) then sum = sum + tonumber(all[i + 1]) else redis.call('HDEL', slots, all[i]) end
  end
  return sum
end
local function queue(waiting)
  local found = {}
  for _, gateway in ipairs(redis.call('ZRANGE', waiting, 0, -1)) do
    if lives(gateway) then found[#found + 1] = gateway else redis.call('ZREM', waiting, gateway) end
  end
  return found
end
local function wake(channel, server, slots, waiting, capacity)
  local waiters = queue(waiting)
  if #waiters == 0 then return end
  local free = capacity - taken(slots)
  if free <= 0 then return end
  local turns = { server }
  for i = 1, math.min(free, #waiters) do turns[i + 1] = waiters[i] end
  redis.call('PUBLISH', channel, table.concat(turns, ' '))
end
`;

/**
 * KEYS: gateways, the backend's slots, its waiting gateways. ARGV: gateway, number of the backend's slots, time to live
 * of the keys in ms. Returns the result (1: taken, 0: queued, -1: lease expired) and the number of slots taken.
 */
export const TAKE = script(`${COMMON}
local gateway, capacity, stays = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if not lives(gateway) then return { -1, 0 } end
local sum, ahead = taken(KEYS[2]), 0
for _, each in ipairs(queue(KEYS[3])) do
  if each == gateway then break end
  ahead = ahead + 1
end
if sum + ahead < capacity then
  redis.call('HINCRBY', KEYS[2], gateway, 1)
  redis.call('PEXPIRE', KEYS[2], stays)
  redis.call('ZREM', KEYS[3], gateway)
  return { 1, sum + 1 }
end
redis.call('ZADD', KEYS[3], 'NX', time[1] * 1000000 + time[2], gateway)
redis.call('PEXPIRE', KEYS[3], stays)
return { 0, sum }
`);

/** KEYS as for TAKE. ARGV: gateway, number of the backend's slots, channel, backend. */
export const RELEASE = script(`${COMMON}
if redis.call('HINCRBY', KEYS[2], ARGV[1], -1) <= 0 then redis.call('HDEL', KEYS[2], ARGV[1]) end
wake(ARGV[3], ARGV[4], KEYS[2], KEYS[3], tonumber(ARGV[2]))
return 1
`);

/** Removes the gateway from the backend's queue. KEYS and ARGV as for RELEASE. */
export const WITHDRAW = script(`${COMMON}
redis.call('ZREM', KEYS[3], ARGV[1])
wake(ARGV[3], ARGV[4], KEYS[2], KEYS[3], tonumber(ARGV[2]))
return 1
`);

/**
 * Registers a gateway, possibly under a new name. KEYS: gateways, then slots and waiting gateways of each backend.
 * ARGV: gateway, its former name, duration of the lease, time to live of the keys, then the number of slots taken of
 * each backend.
 */
export const JOIN = script(`${COMMON}
local gateway, former = ARGV[1], ARGV[2]
redis.call('ZREMRANGEBYSCORE', gateways, '-inf', now)
redis.call('ZREM', gateways, former)
redis.call('ZADD', gateways, now + tonumber(ARGV[3]), gateway)
redis.call('PEXPIRE', gateways, ARGV[4])
for i = 2, #KEYS, 2 do
  local count = tonumber(ARGV[4 + i / 2])
  redis.call('HDEL', KEYS[i], former)
  redis.call('ZREM', KEYS[i + 1], former)
  if count > 0 then
    redis.call('HSET', KEYS[i], gateway, count)
    redis.call('PEXPIRE', KEYS[i], ARGV[4])
  end
end
return redis.call('ZCARD', gateways)
`);

/**
 * Renews a gateway's lease. KEYS as for JOIN. ARGV: gateway, duration of the lease, time to live of the keys, channel,
 * then name and number of slots of each backend. Returns the number of gateways (0 if this lease has expired), then the
 * number of slots taken of each backend. Slots of expired gateways go to waiting ones.
 */
export const BEAT = script(`${COMMON}
local gateway = ARGV[1]
if not lives(gateway) then return { 0 } end
redis.call('ZADD', gateways, now + tonumber(ARGV[2]), gateway)
redis.call('ZREMRANGEBYSCORE', gateways, '-inf', now)
redis.call('PEXPIRE', gateways, ARGV[3])
local result = { redis.call('ZCARD', gateways) }
for i = 2, #KEYS, 2 do
  redis.call('PEXPIRE', KEYS[i], ARGV[3])
  redis.call('PEXPIRE', KEYS[i + 1], ARGV[3])
  wake(ARGV[4], ARGV[3 + i], KEYS[i], KEYS[i + 1], tonumber(ARGV[4 + i]))
  result[#result + 1] = taken(KEYS[i])
end
return result
`);

/** Removes a gateway. KEYS as for JOIN. ARGV: gateway, channel, then name and number of slots of each backend. */
export const LEAVE = script(`${COMMON}
redis.call('ZREM', gateways, ARGV[1])
for i = 2, #KEYS, 2 do
  redis.call('HDEL', KEYS[i], ARGV[1])
  redis.call('ZREM', KEYS[i + 1], ARGV[1])
  wake(ARGV[2], ARGV[1 + i], KEYS[i], KEYS[i + 1], tonumber(ARGV[2 + i]))
end
return 1
`);

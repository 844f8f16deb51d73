-- An account: KEYS[1] rates and open requests, [2] what is held, by id, [3] when each lease ends.
-- KEYS[4] is the beginning of the names of its days, and of what was settled lately.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
local DAY, MINUTE, KEPT = 86400000, 60000, 35 * 86400

local function today() return math.floor(now / DAY) end

local function book(day, window, amount)
  if amount == 0 then return end
  local field = window.s .. '|' .. window.w
  local key = KEYS[4] .. 'day:' .. string.format('%d', day)
  redis.call('HINCRBY', key, field, string.format('%d', amount))
  redis.call('EXPIRE', key, KEPT)
  if window.m then
    local tat = math.max(tonumber(redis.call('HGET', KEYS[1], field) or '0'), amount > 0 and now or 0)
    redis.call('HSET', KEYS[1], field, string.format('%.17g', tat + amount * MINUTE / window.m))
  end
end

-- Gives back what is held under `id`, less what `spent` says by scope and kind.
local function release(id, spent)
  local packed = redis.call('HGET', KEYS[2], id)
  if not packed then return false end
  local held = cjson.decode(packed)
  redis.call('HDEL', KEYS[2], id)
  redis.call('ZREM', KEYS[3], id)
  for _, window in ipairs(held.windows) do
    local actual = spent and spent[window.s .. '|' .. window.w]
    if not actual then actual = window.w == 'requests' and window.c or 0 end
    book(held.day, window, actual - window.c)
  end
  for _, scope in ipairs(held.open) do
    if redis.call('HINCRBY', KEYS[1], 'open|' .. scope, -1) <= 0 then
      redis.call('HDEL', KEYS[1], 'open|' .. scope)
    end
  end
  return true
end

local function sweep()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 100)) do
    release(id)
  end
end

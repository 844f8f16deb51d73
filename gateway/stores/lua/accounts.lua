-- An account: KEYS[1] rates, open requests and sums set aside, [2] what is held, by id, [3] when each
-- lease ends. KEYS[4] is the beginning of the names of its days, and of what was settled lately.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
local DAY, MINUTE, KEPT = 86400000, 60000, 35 * 86400

local function whole(number) return string.format('%d', number) end
local function today() return math.floor(now / DAY) end
local function days_key(day) return KEYS[4] .. 'day:' .. whole(day) end
local function rate(field) return tonumber(redis.call('HGET', KEYS[1], field) or '0') end

-- For how long one of a window's kind counts; a limit of none is never come to.
local function each(w) return w.m > 0 and MINUTE / w.m or 0 end

local function book(day, window, amount)
  if amount == 0 then return end
  local field = window.s .. '|' .. window.w
  local key = days_key(day)
  redis.call('HINCRBY', key, field, whole(amount))
  redis.call('EXPIRE', key, KEPT)
  if window.m then
    local tat = math.max(rate(field), amount > 0 and now or 0)
    redis.call('HSET', KEYS[1], field, string.format('%.17g', tat + amount * each(window)))
  end
end

local function change(field, by)
  if by ~= 0 and redis.call('HINCRBY', KEYS[1], field, whole(by)) <= 0 then
    redis.call('HDEL', KEYS[1], field)
  end
end

-- Gives back what is held under `id`, less what `spent` says by scope and kind.
local function release(id, spent)
  local packed = redis.call('HGET', KEYS[2], id)
  if not packed then return false end
  local held = cjson.decode(packed)
  redis.call('HDEL', KEYS[2], id)
  redis.call('ZREM', KEYS[3], id)
  for field, amount in pairs(held.aside or {}) do change('aside|' .. field, -amount) end
  for _, window in ipairs(held.windows or {}) do
    local actual = spent and spent[window.s .. '|' .. window.w]
    if not actual then actual = window.w == 'requests' and window.c or 0 end
    book(held.day, window, actual - window.c)
  end
  for _, scope in ipairs(held.open or {}) do change('open|' .. scope, -1) end
  return true
end

-- Books what an ask spent in the place of what is held for it, once.
local function settle(ask)
  if not redis.call('SET', KEYS[4] .. 'done:' .. ask.id, '1', 'NX', 'EX', 120) then return end
  local spent = {}
  for _, w in ipairs(ask.windows) do spent[w.s .. '|' .. w.w] = w.c end
  if release(ask.id, spent) then return end
  for _, w in ipairs(ask.windows) do book(today(), w, w.c) end
end

local function sweep()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 100)) do
    release(id)
  end
end

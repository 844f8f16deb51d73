-- ARGV: a statement as JSON. Returns JSON, or nothing where a later statement was here before.
local told = cjson.decode(ARGV[1])
sweep()
local id = 'holder:' .. told.holder
local packed = redis.call('HGET', KEYS[2], id)
local old = packed and cjson.decode(packed) or {number = 0, aside = {}}
if told.number <= old.number then return false end
for _, ask in ipairs(told.spent) do settle(ask) end

-- What may still be spent of a window or set aside, and what of that is a day's.
local function left(w, field)
  local minute, day = math.huge, nil
  local aside = rate('aside|' .. field)
  if w.m then
    local ahead = math.max(rate(field) - now, 0)
    minute = math.floor((MINUTE - ahead) * w.m / MINUTE + 0.01) - aside
  end
  if w.d then
    day = w.d - tonumber(redis.call('HGET', days_key(today()), field) or '0') - aside
  end
  return math.min(minute, day or minute), day
end

local aside, answer, any = {}, {}, false
for _, w in ipairs(told.holds) do
  local field = w.s .. '|' .. w.w
  local before = old.aside[field] or 0
  old.aside[field] = nil
  local all = left(w, field) + before
  local wanted = math.max(w.c, math.floor(told.part * all))
  local held = math.max(0, math.min(w.c, before), math.min(wanted, all))
  change('aside|' .. field, held - before)
  if held > 0 then aside[field], any = held, true end
  local pool, day = left(w, field)
  answer[field] = {held, pool, day}
end
for field, amount in pairs(old.aside) do change('aside|' .. field, -amount) end
if any then
  redis.call('HSET', KEYS[2], id, cjson.encode({number = told.number, aside = aside}))
  redis.call('ZADD', KEYS[3], now + told.lease * 1000, id)
else
  redis.call('HDEL', KEYS[2], id)
  redis.call('ZREM', KEYS[3], id)
end
return cjson.encode(answer)

-- ARGV: the reservation as JSON. Returns JSON.
local ask = cjson.decode(ARGV[1])
sweep()
local left, short = {}, nil

local function seen(what, limit, remaining, reset)
  local old = left[what]
  if not old or remaining < old[2] then left[what] = {limit, math.max(0, remaining), reset} end
end

local function lacking(what, window, retry)
  if not short or retry < 0 or (short.retry >= 0 and retry > short.retry) then
    short = {what = what, window = window, retry = retry}
  end
end

local used = redis.call('HGETALL', KEYS[4] .. 'day:' .. string.format('%d', today()))
local booked = {}
for i = 1, #used, 2 do booked[used[i]] = tonumber(used[i + 1]) end
for _, w in ipairs(ask.windows) do
  local field = w.s .. '|' .. w.w
  if w.m then
    local each = MINUTE / w.m
    local tat = math.max(tonumber(redis.call('HGET', KEYS[1], field) or '0'), now)
    local after = tat + w.c * each
    if w.c > w.m then lacking(w.w, 'minute', -1)
    elseif after - now > MINUTE + each / 100 then lacking(w.w, 'minute', after - now - MINUTE) end
    w.tat = tat
  end
  if w.d then
    local total = (booked[field] or 0) + w.c
    if w.c > w.d then lacking(w.w, 'day', -1)
    elseif total > w.d then lacking(w.w, 'day', DAY - now % DAY) end
  end
end
for _, o in ipairs(ask.open) do
  if o.l and tonumber(redis.call('HGET', KEYS[1], 'open|' .. o.s) or '0') >= o.l then
    lacking('concurrent', 'concurrent', 1000)
  end
end
if redis.call('EXISTS', KEYS[4] .. 'done:' .. ask.id) == 1 then short = {what = 'id', window = '', retry = -1} end

for _, w in ipairs(ask.windows) do
  local cost = short and 0 or w.c
  if w.m then
    local ahead = w.tat + cost * MINUTE / w.m - now
    seen(w.w, w.m, math.floor((MINUTE - ahead) * w.m / MINUTE + 0.01), ahead)
  end
  if w.d then
    seen(w.w, w.d, w.d - (booked[w.s .. '|' .. w.w] or 0) - cost, DAY - now % DAY)
  end
  if not short then
    w.tat = nil
    book(today(), w, w.c)
  end
end
if short then return cjson.encode({short = short, left = left}) end

local scopes = {}
for _, o in ipairs(ask.open) do
  scopes[#scopes + 1] = o.s
  redis.call('HINCRBY', KEYS[1], 'open|' .. o.s, 1)
end
redis.call('HSET', KEYS[2], ask.id, cjson.encode({day = today(), windows = ask.windows, open = scopes}))
redis.call('ZADD', KEYS[3], now + ask.lease * 1000, ask.id)
return cjson.encode({left = left})

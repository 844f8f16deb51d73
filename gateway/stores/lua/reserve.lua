-- ARGV: the reservation as JSON. Returns JSON.
local ask = cjson.decode(ARGV[1])
sweep()
local left, short = {}, nil

local function seen(w, limit, remaining, reset)
  local free = remaining - w.aside
  local old = left[w.w]
  if not old then
    left[w.w] = {limit, math.max(0, remaining), reset, free}
  else
    if remaining < old[2] then old[1], old[2], old[3] = limit, math.max(0, remaining), reset end
    old[4] = math.min(old[4], free)
  end
end

local function lacking(what, window, retry)
  if not short or retry < 0 or (short.retry >= 0 and retry > short.retry) then
    short = {what = what, window = window, retry = retry}
  end
end

local used = redis.call('HGETALL', days_key(today()))
local booked = {}
for i = 1, #used, 2 do booked[used[i]] = tonumber(used[i + 1]) end
for _, w in ipairs(ask.windows) do
  local field = w.s .. '|' .. w.w
  w.aside = (w.m or w.d) and rate('aside|' .. field) or 0
  if w.m then
    w.tat = math.max(rate(field), now)
    local over = w.tat + (w.c + w.aside) * each(w) - now - MINUTE
    if w.c > w.m then lacking(w.w, 'minute', -1)
    elseif over > each(w) / 100 then lacking(w.w, 'minute', over) end
  end
  if w.d then
    local total = (booked[field] or 0) + w.c
    if w.c > w.d then lacking(w.w, 'day', -1)
    elseif total > w.d then lacking(w.w, 'day', DAY - now % DAY)
    elseif total + w.aside > w.d then lacking(w.w, 'day', 1000) end
  end
end
for _, o in ipairs(ask.open) do
  if o.l and rate('open|' .. o.s) >= o.l then lacking('concurrent', 'concurrent', 1000) end
end
if redis.call('EXISTS', KEYS[4] .. 'done:' .. ask.id) == 1 then
  short = {what = 'id', window = '', retry = -1}
end

for _, w in ipairs(ask.windows) do
  local cost = short and 0 or w.c
  if w.m then
    local ahead = w.tat + cost * each(w) - now
    seen(w, w.m, math.floor((MINUTE - ahead) * w.m / MINUTE + 0.01), ahead)
  end
  if w.d then
    seen(w, w.d, w.d - (booked[w.s .. '|' .. w.w] or 0) - cost, DAY - now % DAY)
  end
  w.tat, w.aside = nil, nil
  if not short then book(today(), w, w.c) end
end
if short then return cjson.encode({short = short, left = left}) end

local scopes = {}
for _, o in ipairs(ask.open) do
  scopes[#scopes + 1] = o.s
  change('open|' .. o.s, 1)
end
redis.call('HSET', KEYS[2], ask.id, cjson.encode({day = today(), windows = ask.windows, open = scopes}))
redis.call('ZADD', KEYS[3], now + ask.lease * 1000, ask.id)
return cjson.encode({left = left})

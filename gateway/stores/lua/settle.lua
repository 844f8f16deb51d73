-- ARGV: what was spent, as JSON like a reservation.
local ask = cjson.decode(ARGV[1])
if not redis.call('SET', KEYS[4] .. 'done:' .. ask.id, '1', 'NX', 'EX', 120) then return 0 end
local spent = {}
for _, w in ipairs(ask.windows) do spent[w.s .. '|' .. w.w] = w.c end
if not release(ask.id, spent) then
  for _, w in ipairs(ask.windows) do book(today(), w, w.c) end
end
return 1

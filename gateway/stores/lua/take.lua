-- KEYS: a shelf, its claims. ARGV: who asks, milliseconds of lease, places. For each place what lies
-- there, or 1 where the asker has claimed it now, or 0 where another has.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local places, told, claimed = {}, {}, false
for i = 3, #ARGV do places[i - 2] = ARGV[i] end
local lying = redis.call('HMGET', KEYS[1], unpack(places))
for i, place in ipairs(places) do
  if lying[i] then
    told[i] = lying[i]
  else
    local claim = redis.call('HGET', KEYS[2], place)
    local ends, owner = string.match(claim or '', '^(%d+) (.+)$')
    if claim and owner ~= ARGV[1] and tonumber(ends) > now then
      told[i] = 0
    else
      redis.call('HSET', KEYS[2], place, string.format('%d %s', now + tonumber(ARGV[2]), ARGV[1]))
      told[i], claimed = 1, true
    end
  end
end
if claimed then redis.call('PEXPIRE', KEYS[2], 2 * tonumber(ARGV[2])) end
return told

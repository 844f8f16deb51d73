-- KEYS[1] a state; ARGV: decay, then name and delta by turns. Field '' counts the updates.
local decay = tonumber(ARGV[1])
local function set(name, value)
  redis.call('HSET', KEYS[1], name, string.format('%.17g', value))
end
if decay ~= 1 then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if all[i] ~= '' then set(all[i], tonumber(all[i + 1]) * decay) end
  end
end
for i = 2, #ARGV, 2 do
  set(ARGV[i], tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or '0') + tonumber(ARGV[i + 1]))
end
redis.call('HINCRBY', KEYS[1], '', 1)
return redis.call('HGETALL', KEYS[1])

-- KEYS[1] a state; ARGV: the version that it must have, then name and value by turns.
if (redis.call('HGET', KEYS[1], '') or '0') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[1], '', string.format('%d', tonumber(ARGV[1]) + 1))
return 1

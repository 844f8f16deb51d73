-- KEYS: a shelf, its claims. ARGV: milliseconds to live, then place and content by turns. What lies
-- already stays, so that a place is one draw for ever; a shelf's time begins with its first.
for i = 2, #ARGV, 2 do
  redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1])
  redis.call('HDEL', KEYS[2], ARGV[i])
end
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return 1

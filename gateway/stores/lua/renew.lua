-- ARGV: seconds of lease, then ids.
for i = 2, #ARGV do redis.call('ZADD', KEYS[3], 'XX', now + tonumber(ARGV[1]) * 1000, ARGV[i]) end
sweep()
return 1

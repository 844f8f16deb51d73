-- KEYS: a shelf, its claims. ARGV: who claimed, places. Another may claim them now.
for i = 2, #ARGV do
  local owner = string.match(redis.call('HGET', KEYS[2], ARGV[i]) or '', '^%d+ (.+)$')
  if owner == ARGV[1] then redis.call('HDEL', KEYS[2], ARGV[i]) end
end
return 1

-- Forget a response; says whether there was one.
-- KEYS: response, uses, sizes
-- ARGV: id
local size = redis.call('HGET', KEYS[3], ARGV[1])
if size then
  redis.call('HINCRBY', KEYS[3], 'total', -size)
  redis.call('HDEL', KEYS[3], ARGV[1])
end
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('DEL', KEYS[1])

-- Keep a response, renew those that its conversation began with, and forget what a user has not used for longest
-- while there is too much of it.
-- KEYS: response, uses, sizes
-- ARGV: id, body, life in ms, bytes of a user at most, prefix of the user's responses, ids of the conversation...
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local life_ms = tonumber(ARGV[3])

local function forget(id)
  redis.call('DEL', ARGV[5] .. id)
  redis.call('ZREM', KEYS[2], id)
  redis.call('HINCRBY', KEYS[3], 'total', -(redis.call('HGET', KEYS[3], id) or 0))
  redis.call('HDEL', KEYS[3], id)
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now_ms - life_ms - 1)) do
  forget(id)
end
for index = 6, #ARGV do
  if redis.call('PEXPIRE', ARGV[5] .. ARGV[index], life_ms) == 1 then
    redis.call('ZADD', KEYS[2], 'XX', now_ms, ARGV[index])
  end
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', life_ms)
redis.call('ZADD', KEYS[2], now_ms, ARGV[1])
local before = redis.call('HGET', KEYS[3], ARGV[1]) or 0
redis.call('HSET', KEYS[3], ARGV[1], #ARGV[2])
local total = redis.call('HINCRBY', KEYS[3], 'total', #ARGV[2] - before)
while total > tonumber(ARGV[4]) and redis.call('ZCARD', KEYS[2]) > 1 do
  forget(redis.call('ZRANGE', KEYS[2], 0, 0)[1])
  total = tonumber(redis.call('HGET', KEYS[3], 'total'))
end
redis.call('PEXPIRE', KEYS[2], life_ms)
redis.call('PEXPIRE', KEYS[3], life_ms)

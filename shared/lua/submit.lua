-- Admit one job into its model's fair queue.
-- KEYS: queue, fair, job, demand, jobs of the user
-- ARGV: request, body, gateway, ttl_ms, user, cost, depth_max, weights, model, attempt, now_unix_ms, demands
-- Where it demands (1) the model is loaded for it; otherwise (0) it is only taken by who has it already.
-- An earlier attempt of the same request is replaced: whatever its worker still says or ends is not this job's.
-- Returns the position in the queue, counted from 1, or -1 when the queue is full.
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[7]) then
  return -1
end
local now = tonumber(redis.call('HGET', KEYS[2], 'v') or '0')
local tag = tonumber(redis.call('HGET', KEYS[2], 'user:' .. ARGV[5]) or '0')
local start = math.max(now, tag)
redis.call('HSET', KEYS[2], 'user:' .. ARGV[5], string.format('%.0f', start + tonumber(ARGV[6])))
redis.call('PEXPIRE', KEYS[2], 3600000)
redis.call('DEL', KEYS[3])
redis.call('HSET', KEYS[3], 'body', ARGV[2], 'gateway', ARGV[3], 'user', ARGV[5], 'cost', ARGV[6], 'attempt', ARGV[10],
  'weights', ARGV[8], 'model', ARGV[9],
  'submitted', ARGV[11])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
redis.call('SADD', KEYS[5], ARGV[1])
redis.call('PEXPIRE', KEYS[5], ARGV[4])
redis.call('ZADD', KEYS[1], start, ARGV[1])
if ARGV[12] == '1' then
  redis.call('HSET', KEYS[4], ARGV[8], ARGV[9])
end
return redis.call('ZRANK', KEYS[1], ARGV[1]) + 1

-- Take possession of a job that was just popped from its queue.
-- KEYS: job, fair
-- ARGV: worker, start tag, prefix of gateway lease keys
-- Returns the body, or false when the job was cancelled meanwhile or its gateway is gone.
local job = redis.call('HMGET', KEYS[1], 'body', 'gateway')
if not job[1] then
  return false
end
local now = tonumber(redis.call('HGET', KEYS[2], 'v') or '0')
if tonumber(ARGV[2]) > now then
  redis.call('HSET', KEYS[2], 'v', string.format('%.0f', tonumber(ARGV[2])))
end
if redis.call('EXISTS', ARGV[3] .. job[2]) == 0 then
  redis.call('DEL', KEYS[1])
  return false
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
return job[1]

-- Forget a finished job and charge its user what it really cost instead of the estimate.
-- KEYS: job, fair
-- ARGV: cost, attempt, request, prefix of users' jobs
-- A later attempt's job is left alone.
local job = redis.call('HMGET', KEYS[1], 'user', 'cost', 'attempt')
if job[1] and job[3] == ARGV[2] then
  if redis.call('EXISTS', KEYS[2]) == 1 then
    redis.call('HINCRBY', KEYS[2], 'user:' .. job[1], tonumber(ARGV[1]) - tonumber(job[2]))
  end
  redis.call('DEL', KEYS[1])
  redis.call('SREM', ARGV[4] .. job[1], ARGV[3])
end

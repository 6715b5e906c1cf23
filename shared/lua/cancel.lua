-- Withdraw a job wherever it is.
-- KEYS: queue, job
-- ARGV: request, prefix of cancel streams, prefix of users' jobs
-- Waiting: it leaves the queue. Running: its worker is told. Popped but not claimed: the claim will find nothing.
local job = redis.call('HMGET', KEYS[2], 'owner', 'attempt', 'user')
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
if job[3] then
  redis.call('SREM', ARGV[3] .. job[3], ARGV[1])
end
if job[1] then
  local stream = ARGV[2] .. job[1]
  redis.call('XADD', stream, 'MAXLEN', '~', '10000', '*', 'request', ARGV[1], 'attempt', job[2])
  redis.call('PEXPIRE', stream, 60000)
end

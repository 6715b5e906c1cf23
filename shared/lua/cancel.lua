-- Withdraw a job wherever it is.
-- KEYS: queue, job
-- ARGV: request, prefix of cancel streams
-- Waiting: it leaves the queue. Running: its worker is told. Popped but not claimed: the claim will find nothing.
local owner = redis.call('HGET', KEYS[2], 'owner')
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
if owner then
  local stream = ARGV[2] .. owner
  redis.call('XADD', stream, 'MAXLEN', '~', '10000', '*', 'request', ARGV[1])
  redis.call('PEXPIRE', stream, 60000)
end

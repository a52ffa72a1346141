-- Checkpoints and generations, in the library of changeover.lua and with its local functions.

-- keys: checkpoint, head. args: offset, bytes, generation or '', '1' where a head is needed. Answers {one word}.
-- The value is the offset's digits, a colon, the bytes: the offset is read without the bytes.
local function checkpoint(keys, args)
  local offset = whole(args[1])
  if not offset then return redis.error_reply('ERR checkpoint offset ' .. args[1] .. ' is not a whole number') end
  if args[4] == '1' then
    local head = redis.call('HMGET', keys[2], 'offset', 'generation')
    if not head[1] or offset > (tonumber(head[1]) or -1) then return {'AHEAD'} end
    if args[3] ~= '' and args[3] ~= head[2] then return {'GENERATION'} end
  end
  local kept = whole(string.match(redis.call('GETRANGE', keys[1], 0, 16), '^(%d+):') or '')
  if kept and kept > offset then return {'NEWER'} end
  if kept ~= offset then redis.call('SET', keys[1], args[1] .. ':' .. args[2]) end
  return {'KEPT'}
end

-- keys: head, stream, the old stream's new name, checkpoint. args: the generation that the head must have ('' = no
-- head), the next one, its genesis chain.
local function generation(keys, args)
  local found = redis.call('HGET', keys[1], 'generation') or ''
  if found ~= args[1] then return {'CHANGED', found} end
  local aside = redis.call('EXISTS', keys[2]) == 1
  if aside and redis.call('EXISTS', keys[3]) == 1 then return {'TAKEN', keys[3]} end
  local no = denied('HSET', keys[1], 'seq', '0') or denied('DEL', keys[1]) or denied('DEL', keys[4])
    or (aside and denied('RENAME', keys[2], keys[3]))
  if no then return no end
  if aside then redis.call('RENAME', keys[2], keys[3]) end
  redis.call('DEL', keys[1], keys[4])
  redis.call('HSET', keys[1], 'generation', args[2], 'epoch', '0', 'offset', '-1', 'raw_hash', '', 'seq', '0',
    'chain', args[3], 'oldest', '1', 'log_time_us', '0', 'model', '', 'degraded', '[]',
    'unconfirmed', '[]')
  return {'DONE', args[2]}
end

-- Fill a stream that was lost from a copy of its entries, before it has a head; the last call makes the head. Entries
-- that are there already are compared, so that two workers may fill at the same time, or one again after a crash.
-- keys: head, stream. args: count, then seq, offset, chain, json of each, then '1' and the head's generation, epoch,
-- offset, raw_hash, log_time_us, model where it is to be made. Answers {word, details...}.
local function refill(keys, args)
  if redis.call('EXISTS', keys[1]) == 1 then return {'HEAD'} end
  local count = whole(args[1])
  if not count then return redis.error_reply('ERR refill count ' .. args[1] .. ' is not a whole number') end
  local no = denied('XADD', keys[2], '1-0', 'offset', '0') or denied('HSET', keys[1], 'seq', '0')
  if no then return no end
  local stream = load_stream(keys[2])
  local last = stream and stream.last and whole(string.match(stream.last[1], '^%d+')) or nil
  for i = 1, count do
    local at = 1 + PER_ENTRY * (i - 1)
    local seq = whole(args[at + 1])
    if not seq or seq < 1 then return redis.error_reply('ERR refill entry ' .. i .. ' has no number') end
    if last and seq <= last then
      local stored = redis.call('XRANGE', keys[2], id(seq), id(seq))[1]
      local chain = stored and stored_chain(stored) or 'none'
      if stored and (chain ~= args[at + 3] or stored_json(stored) ~= args[at + 4]) then
        return {'DIVERGED', digits(seq), args[at + 3], chain}
      end
    elseif last and seq ~= last + 1 then
      return {'HOLE', digits(last), digits(seq)}
    else
      redis.call('XADD', keys[2], id(seq), 'offset', args[at + 2], 'chain', args[at + 3], 'json', args[at + 4])
      last = seq
    end
  end
  local at = 1 + PER_ENTRY * count
  if args[at + 1] == '1' then
    local filled = load_stream(keys[2])
    if not filled or not filled.last then return {'HOLE', '0', '0'} end
    redis.call('HSET', keys[1], 'generation', args[at + 2], 'epoch', args[at + 3], 'offset', args[at + 4],
      'raw_hash', args[at + 5], 'seq', string.match(filled.last_id, '^%d+'), 'chain', stored_chain(filled.last),
      'oldest', string.match(filled.first[1], '^%d+'), 'log_time_us', args[at + 6], 'model', args[at + 7],
      'degraded', '[]', 'unconfirmed', '[]')
  end
  return {'DONE', digits(last or 0)}
end

redis.register_function('changeover_refill_@VERSION@', refill)
redis.register_function('changeover_checkpoint_@VERSION@', checkpoint)
redis.register_function('changeover_generation_@VERSION@', generation)

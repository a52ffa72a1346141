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
    'chain', args[3], 'oldest', '1', 'log_time_us', '0', 'model', '', 'degraded', '[]')
  return {'DONE', args[2]}
end

redis.register_function('changeover_checkpoint_@VERSION@', checkpoint)
redis.register_function('changeover_generation_@VERSION@', generation)
